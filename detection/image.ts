import type { Docket } from './docket.ts';
import { fold } from './text.ts';

/** An image reference in its parts (distribution/reference grammar), with the defaults of Docker filled in. */
export interface ImageReference {
  host: string;
  /** Without the host, such as `library/nginx`. */
  path: string;
  tag?: string;
  digest?: string;
}

/** Undefined when the text is no image reference, such as a pattern with an asterisk. */
export function parseImage(image: string): ImageReference | undefined {
  const [named = '', digest] = image.trim().split('@', 2);
  const slash = named.indexOf('/');
  const first = slash < 0 ? '' : named.slice(0, slash);
  const hasHost = /[.:]/.test(first) || first === 'localhost';
  const rest = hasHost ? named.slice(slash + 1) : named;
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const bare = colon < 0 ? rest : rest.slice(0, colon);
  if (!/^[\p{L}\p{N}][\p{L}\p{N}\p{Cf}._/-]*$/u.test(bare)) return undefined;
  const host = hasHost
    ? first.replace(/^(index|registry-1|registry\.hub)\.docker\.(io|com)$/, 'docker.io')
    : 'docker.io';
  return {
    host,
    path: host === 'docker.io' && !bare.includes('/') ? `library/${bare}` : bare,
    ...(colon < 0 ? {} : { tag: rest.slice(colon + 1) }),
    ...(digest === undefined ? {} : { digest }),
  };
}

export function judgeImage(image: string, path: string, docket: Docket): void {
  const reference = parseImage(image);
  if (!reference) return;
  const { nameKinds, images } = docket.indicators;
  const repository = fold(reference.path);
  const named = repository.split('/').find((segment) => nameKinds.get(segment) === 'miner');
  if (named !== undefined) docket.report('miner-image', path, `The image is called ${named}.`, named);
  else if (images.has(repository) || images.has(`${reference.host}/${repository}`)) {
    docket.report('miner-image', path, `The image ${repository} carried a miner.`, repository, 100);
  }
}
