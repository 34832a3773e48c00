import { type Anchor, SKEW_MS } from './author.ts';
import type { Fact } from './fact.ts';
import { type History, inOrder } from './history.ts';
import { isAnonymous, isClusterPart, principalsOf, serviceAccountOf, succeeded } from './identity.ts';

/** One step on the way to the deed. */
export interface Hop {
  kind: 'anonymous' | 'grant' | 'token' | 'secrets' | 'exec' | 'port-forward' | 'create';
  auditID: string;
  time: number;
  user: string;
  address: string;
  /** What was done, in one sentence without its author. */
  message: string;
}

const ENTRIES: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

/** Requests that got into the pods of the workload before the deed. */
export async function entriesInto({ namespace, pods, time }: Anchor, history: History): Promise<Fact[]> {
  const found: Fact[] = [];
  for (const { name } of pods.slice(0, 16)) {
    const facts = await history.find({ namespace, resource: 'pods', name, writesOnly: true });
    found.push(...facts.filter(({ target }) => ENTRIES.has(target.subresource)));
  }
  return inOrder(found).filter((fact) => fact.time <= time + SKEW_MS && succeeded(fact));
}

/** Grants and tokens that gave `actor` what it acted with. */
export async function enablersOf({ actor }: Fact, anchor: Anchor, history: History): Promise<Fact[]> {
  const principals = principalsOf(actor);
  const account = serviceAccountOf(actor.user);
  const bindings = [
    ...(await history.find({ resource: 'clusterrolebindings', writesOnly: true })),
    ...(await history.find({ resource: 'rolebindings', writesOnly: true })),
  ].filter((fact) => isGrant(fact) && subjectsOf(fact).some((subject) => principals.has(subject)));
  const tokens = account
    ? (await history.find({ ...account, resource: 'serviceaccounts', writesOnly: true })).filter(
        ({ target }) => target.subresource === 'token',
      )
    : [];
  // Kubelets ask for tokens all day, and controllers bind what they were told to.
  return inOrder([...bindings, ...tokens]).filter(
    (fact) => fact.time <= anchor.time + SKEW_MS && succeeded(fact) && !isClusterPart(fact.actor),
  );
}

export function isGrant({ verb, target }: Fact): boolean {
  const isBinding = target.resource === 'clusterrolebindings' || target.resource === 'rolebindings';
  return isBinding && (verb === 'create' || verb === 'update' || verb === 'patch');
}

/** Subjects of a binding, as users and groups are called in a request. */
export function subjectsOf({ details }: Pick<Fact, 'details'>): string[] {
  return (details.subjects ?? '').split(/[\s,;]+/).flatMap((subject) => {
    const [, kind, name] = /^(User|Group|ServiceAccount)[/:](.+)$/.exec(subject) ?? [];
    if (kind !== 'ServiceAccount') return name ?? (subject === '' ? [] : subject);
    return `system:serviceaccount:${name?.replace('/', ':')}`;
  });
}

/** What this request contributed; undefined when it was no step of a way in. */
export function hopOf(fact: Fact, anchor: Anchor): Hop | undefined {
  const { id, time, actor, address, target, verb, details, command } = fact;
  if (!succeeded(fact) || time > anchor.time + SKEW_MS) return undefined;
  const hop = (kind: Hop['kind'], message: string): Hop => ({
    kind,
    auditID: id,
    time,
    user: actor.user,
    address,
    message: message.slice(0, 512),
  });
  const place = `${target.namespace === '' ? '' : `${target.namespace}/`}${target.name}`;
  if (isGrant(fact)) {
    const whom = subjectsOf(fact).join(', ') || 'subjects that the event does not name';
    return hop('grant', `bound ${details.role ?? 'a role'} to ${whom} (${target.resource} ${place})`);
  }
  if (target.resource === 'serviceaccounts' && target.subresource === 'token') {
    return hop('token', `made a token of service account ${place}`);
  }
  if (target.subresource === 'exec' || target.subresource === 'attach') {
    const what = command.length > 0 ? `: ${command.join(' ')}` : '';
    return hop(
      'exec',
      `${target.subresource === 'exec' ? 'ran a command in' : 'attached to'} pod ${place}${what}`,
    );
  }
  if (target.subresource === 'portforward') return hop('port-forward', `forwarded ports of pod ${place}`);
  if (target.resource === 'secrets' && (verb === 'list' || verb === 'get')) {
    const where = target.namespace === '' ? 'of all namespaces' : `in ${target.namespace}`;
    return hop('secrets', target.name === '' ? `listed Secrets ${where}` : `read Secret ${place}`);
  }
  // What health checks and discovery ask for has no resource.
  if (isAnonymous(actor) && fact.decision === 'allow' && target.resource !== '') {
    return hop(
      'anonymous',
      `was allowed to ${verb} ${target.resource} ${place} without any credential`.replace('  ', ' '),
    );
  }
  return undefined;
}
