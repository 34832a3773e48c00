import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonLines } from '../../kube/http/watch-lines.ts';

async function read(chunks: Iterable<Uint8Array>): Promise<unknown[]> {
  const stream = (async function* () {
    yield* chunks;
  })();
  const lines: unknown[] = [];
  for await (const line of jsonLines(stream)) lines.push(line);
  return lines;
}

/** The same bytes, cut at some places. */
function cut(text: string, places: number[]): Uint8Array[] {
  const bytes = Buffer.from(text);
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

test('objects arrive whole, wherever the network cuts them', async () => {
  const places = fc.array(fc.nat(), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 10 }), places, async (values, at) => {
      const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
      expect(await read(cut(text, at))).toEqual(values.map((value) => JSON.parse(JSON.stringify(value))));
    }),
  );
});

test.each([
  ['is not JSON', '{"a":1}\n{"b":\n'],
  ['was cut off', '{"a":1}\n{"b":1'],
  ['is longer than 64 bytes', `{"a":1}\n"${'x'.repeat(200)}`],
])('a line that %s is KUBE_UNREACHABLE, after what came before it', async (what, text) => {
  const seen: unknown[] = [];
  const stream = (async function* () {
    yield* cut(text, [10, 40, 100]);
  })();
  const reading = async () => {
    for await (const line of jsonLines(stream, 64)) seen.push(line);
  };
  await expect(reading()).rejects.toMatchObject({
    code: 'KUBE_UNREACHABLE',
    message: expect.stringContaining(what),
  });
  expect(seen).toEqual([{ a: 1 }]);
});
