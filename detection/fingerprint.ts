import { createHash } from 'node:crypto';
import type { Fingerprint } from '../api/fingerprint.ts';
import { parseImage } from './image.ts';
import { workloadView } from './workload.ts';

/**
 * The traits of a workload. The template facet covers what runs (image repository, command, arguments) and
 * nothing that names it, so that the same workload under another name, namespace or kind has the same one.
 */
export function fingerprintObject(object: unknown): Fingerprint {
  const view = workloadView(object);
  if (!view) return [];
  const facets: { facet: Fingerprint[number]['facet']; value: string }[] = [];
  const owner = view.owner ?? { kind: view.kind, name: view.name };
  for (const container of view.containers) {
    const reference = parseImage(container.image);
    const repository = reference ? `${reference.host}/${reference.path}` : container.image;
    facets.push({ facet: 'template', value: templateHash(repository, container.command, container.args) });
    if (reference?.digest) facets.push({ facet: 'image', value: `${repository}@${reference.digest}` });
  }
  facets.push({ facet: 'owner', value: `${view.namespace}/${owner.kind}/${owner.name}` });
  return facets;
}

export function fingerprintProcess(process: {
  argv: readonly string[];
  sha256?: string | null;
}): Fingerprint {
  return process.sha256 ? [{ facet: 'binary', value: process.sha256 }] : [];
}

function templateHash(repository: string, command: readonly string[], args: readonly string[]): string {
  return `sha256:${createHash('sha256')
    .update(JSON.stringify([repository, command, args]))
    .digest('hex')}`;
}
