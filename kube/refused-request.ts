import type { Denial } from '../api/denial.ts';
import { KIND } from './kind.ts';

/** What was refused: `CREATE of DaemonSet shop/web`, `CONNECT of Pod (exec) shop/web-1`. */
export function refusedRequest({ metadata, spec }: Denial): string {
  const { kind, name, subresource } = spec.resource;
  // A Denial of what is in no namespace lives in ours.
  const isNamespaced = Object.values(KIND).every((known) => known.kind !== kind || known.namespaced);
  const place = isNamespaced ? `${metadata.namespace}/` : '';
  return `${spec.operation} of ${kind}${subresource ? ` (${subresource})` : ''} ${place}${name}`;
}

/** How often it was asked for. */
export function howOften({ status }: Denial): string {
  const { count = 1 } = status ?? {};
  return count === 1 ? 'once' : `${count} times`;
}
