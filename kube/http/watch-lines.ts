import { KubesentryError } from '../../api/errors.ts';

/** etcd takes objects of 1.5 MiB; a watch event with an old and a new field manager is well below this. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** Splits a stream into its lines and parses each as JSON. Raises KUBE_UNREACHABLE for a broken or endless line. */
export async function* jsonLines(
  stream: AsyncIterable<Uint8Array>,
  most = MAX_LINE_BYTES,
): AsyncGenerator<unknown> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pieces.push(chunk.subarray(start, end));
      yield parse(pieces);
      pieces = [];
      size = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    pieces.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > most) throw broken(`is longer than ${most} bytes`);
  }
  if (size > 0) throw broken('was cut off');
}

function parse(pieces: Uint8Array[]): unknown {
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch {
    throw broken('is not JSON');
  }
}

const broken = (what: string) => new KubesentryError('KUBE_UNREACHABLE', `A line of the watch ${what}.`);
