import type { Docket } from './docket.ts';
import type { Indicators } from './indicators.ts';
import { minerWordScore, nameIn } from './names.ts';
import { fold, tokens } from './text.ts';

/** An image reference in its parts (distribution/reference grammar), with the defaults of Docker filled in. */
export interface ImageReference {
  host: string;
  /** Without the host, such as `library/nginx`. */
  path: string;
  tag?: string;
  digest?: string;
}

const REFERENCE_LENGTH = 1024;
const DOCKER_HUB = /^(index|registry-1|registry\.hub)\.docker\.(io|com)$/;
const PLAIN = /^[a-z0-9][a-z0-9._/-]*$/;

/** Undefined when the text is no image reference, such as a pattern with an asterisk. */
export function parseImage(image: string): ImageReference | undefined {
  if (image.length > REFERENCE_LENGTH) return undefined;
  const [named = '', digest] = image.trim().split('@', 2);
  const slash = named.indexOf('/');
  const first = slash < 0 ? '' : named.slice(0, slash);
  const hasHost = /[.:]/.test(first) || first === 'localhost';
  const rest = hasHost ? named.slice(slash + 1) : named;
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const bare = colon < 0 ? rest : rest.slice(0, colon);
  if (!PLAIN.test(bare) && !/^[\p{L}\p{N}][\p{L}\p{N}\p{Cf}\p{Mn}._/-]*$/u.test(bare)) return undefined;
  const host = !hasHost || DOCKER_HUB.test(first) ? 'docker.io' : first;
  return {
    host,
    path: host === 'docker.io' && !bare.includes('/') ? `library/${bare}` : bare,
    ...(colon < 0 ? {} : { tag: rest.slice(colon + 1) }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Judges an image by the steps of its repository, and by its tag: `tools:xmrig-6.21`. */
export function judgeImage(image: string, path: string, docket: Docket): void {
  const reference = parseImage(image);
  if (!reference) return;
  const repository = fold(reference.path);
  const { images } = docket.indicators;
  const bare = repository.startsWith('library/') ? repository.slice('library/'.length) : repository;
  if (images.has(repository) || images.has(bare) || images.has(`${reference.host}/${repository}`)) {
    docket.report('miner-image', path, `The image ${bare} carried a miner before.`, bare, 100);
    return;
  }
  const steps = repository.split('/', 16);
  const matches = steps.map((step) => nameIn(step, docket.indicators));
  if (reference.tag !== undefined) matches.push(nameIn(reference.tag, docket.indicators));
  const mention = matches.find((match) => match?.kind === 'mention');
  const miner = matches.find((match) => match?.kind === 'miner');
  // xmrig/xmrig-exporter speaks of a miner, whoever publishes it.
  if (mention)
    docket.report('miner-mention', path, `The image is called ${mention.name} and more.`, repository);
  else if (miner) docket.report('miner-image', path, `The image is called ${miner.name}.`, repository);
  else {
    const last = matches[steps.length - 1];
    if (last?.kind === 'node')
      docket.report('blockchain-node', path, `The image runs ${last.name}.`, repository);
    const score = minerWordScore(steps.at(-1) ?? '') || algorithmScore(steps.at(-1) ?? '', docket.indicators);
    if (score > 0)
      docket.report('miner-word', path, `The image is called ${steps.at(-1)}.`, repository, score);
  }
}

/** `cryptonight-worker`: an algorithm that only miners know, and what works it out. */
function algorithmScore(step: string, { algorithms }: Indicators): number {
  const parts = tokens(step);
  const isKnown = parts.length > 1 && parts.some((part) => algorithms.get(part) === false);
  return isKnown && parts.some((part) => /^(?:worker|rig|cpu|gpu|cuda)s?$/.test(part)) ? 80 : 0;
}
