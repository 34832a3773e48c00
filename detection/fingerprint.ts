import { hash } from 'node:crypto';
import type { Facet, Fingerprint } from '../api/fingerprint.ts';
import { isStratum, parseEndpoint } from './endpoint.ts';
import { parseImage } from './image.ts';
import { findWallets } from './wallet/wallet.ts';
import { type ContainerView, workloadView } from './workload.ts';

const FACET_LIMIT = 64;

/**
 * The traits of a workload. The template facet covers what runs (image repository, command, arguments) and
 * nothing that names it, so that the same workload under another name, namespace or kind has the same one.
 */
export function fingerprintObject(object: unknown): Fingerprint {
  const view = workloadView(object);
  if (!view) return [];
  const facets = new Facets();
  for (const container of view.containers) {
    facets.add('template', templateFacet(container));
    const image = imageFacet(container.image);
    if (image) facets.add('image', image);
    const env = container.env.map(({ value }) => value);
    addDestinations(facets, [...container.command, ...container.args, container.script?.text ?? '', ...env]);
  }
  const owner = view.owner ?? { kind: view.kind, name: view.name };
  if (owner.name !== '') facets.add('owner', `${view.namespace}/${owner.kind}/${owner.name}`);
  return facets.list;
}

/** The image facet: the repository with its digest. Undefined when the image is not named by digest. */
export function imageFacet(image: string): string | undefined {
  const reference = parseImage(image);
  return reference?.digest ? `${reference.host}/${reference.path}@${reference.digest}` : undefined;
}

/** The template facet of one container. */
export function templateFacet({
  image,
  ...code
}: Pick<ContainerView, 'image' | 'command' | 'args' | 'script'>): string {
  const reference = parseImage(image);
  return templateHash(reference ? `${reference.host}/${reference.path}` : image, code);
}

/** The traits of a process; `image` is that of its container, with the digest. */
export function fingerprintProcess(process: {
  argv: readonly string[];
  sha256?: string | null;
  image?: string | null;
}): Fingerprint {
  const facets = new Facets();
  if (process.sha256) facets.add('binary', process.sha256);
  const image = process.image ? imageFacet(process.image) : undefined;
  if (image) facets.add('image', image);
  addDestinations(facets, process.argv);
  return facets.list;
}

class Facets {
  readonly #facets = new Map<string, { facet: Facet; value: string }>();

  add(facet: Facet, value: string): void {
    if (this.#facets.size < FACET_LIMIT && value.length <= 1024)
      this.#facets.set(`${facet} ${value}`, { facet, value });
  }

  get list(): Fingerprint {
    return [...this.#facets.values()];
  }
}

/** Wallets by checksum. Pools by scheme, or as the address beside a wallet: the pool of somebody is no trait. */
function addDestinations(facets: Facets, texts: readonly string[]): void {
  const wallets = texts.flatMap(findWallets).filter(({ checked }) => checked);
  for (const { address } of wallets) facets.add('wallet', address);
  for (const word of texts.flatMap((text) => text.split(/[\s"']+/, 256))) {
    const value = word.replace(/^-{1,2}[a-zA-Z-]+=/, '').replace(/^-o(?=\S)/, '');
    const endpoint = parseEndpoint(value);
    if (endpoint?.port === undefined) continue;
    const dotted = endpoint.host.includes('.');
    if (isStratum(endpoint) || (wallets.length > 0 && dotted && endpoint.scheme === '')) {
      facets.add('pool', `${endpoint.host}:${endpoint.port}`);
    }
  }
}

/** Every blank and every split of words is made equal: `sh -c "a b"` written in one string or in a list. */
function templateHash(
  repository: string,
  { command, args, script }: Pick<ContainerView, 'command' | 'args' | 'script'>,
): string {
  const words = [...command, ...args].map((word) => word.normalize('NFKC').replace(/\s+/g, ' ').trim());
  const whole = JSON.stringify([repository.toLowerCase(), words, script?.text.trim() ?? '']);
  return `sha256:${hash('sha256', whole)}`;
}
