import type { SentryPolicySpec } from '../api/sentry-policy.ts';
import { parseImage } from './image.ts';

/** What an exemption is held against. */
export interface Subject {
  rule: string;
  namespace: string;
  /** Undefined where nobody asked, as for a detection on a node. */
  user?: string | undefined;
  /** As Kind/name: the object and what owns it. */
  workloads: readonly string[];
  /** Every one must be exempt. */
  images: readonly string[];
}

export type Exemption = NonNullable<SentryPolicySpec['exemptions']>[number];

/** Whether `exemption` says that what a rule found about `subject` is known to be legitimate. */
export function covers(exemption: Exemption, subject: Subject, now: Date): boolean {
  const { namespaces, images, workloads, users, rules, expires } = exemption;
  // An exemption from everything would be the mode off by accident.
  if (!namespaces && !images && !workloads && !users && !rules) return false;
  if (expires !== undefined && !(Date.parse(expires) > now.getTime())) return false;
  if (rules && !rules.includes(subject.rule)) return false;
  if (namespaces && !matchesAny(namespaces, subject.namespace)) return false;
  if (users && (subject.user === undefined || !users.includes(subject.user))) return false;
  if (workloads && !subject.workloads.some((workload) => matchesAny(workloads, workload))) return false;
  if (!images) return true;
  const exempt = new Set(images.map(repositoryOf));
  return subject.images.length > 0 && subject.images.every((image) => exempt.has(repositoryOf(image)));
}

/** Host and path compared as parts, so that registry.io.evil/x is not registry.io/x. */
function repositoryOf(image: string): string {
  const reference = parseImage(image);
  return reference ? `${reference.host}/${reference.path}` : image;
}

/** Equal, or behind a prefix that ends in `*`. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name,
  );
}
