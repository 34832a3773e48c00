import { INCIDENT_BOUNDS, type Incident, isOpen } from '../../../api/incident.ts';
import type { BlastCandidate } from '../../../api/playbook.ts';
import type { KnownPod, PodIndex } from '../../pod-index.ts';
import { attackedAccounts } from './attacked-accounts.ts';
import { count } from './confirm.ts';
import type { Outcome } from './outcome.ts';

export interface Surroundings {
  pods: Pick<PodIndex, 'named' | 'values'>;
  incidents: Iterable<Incident>;
}

/** How strongly a connection speaks; a service account that half the namespace uses says little. */
const WEIGHT = { incident: 8, strong: 6, template: 4, image: 3, medium: 3, creator: 2, account: 1 } as const;

/** Of one candidate, and letters of one: names of users and accounts are longer than an Incident has room for. */
const REASONS = 8;
const REASON = 256;

/** These create on behalf of others: sharing one connects nothing. */
const CONTROLLERS = 'system:serviceaccount:kube-system:';

/**
 * Step 2: which other workloads are connected with the attack, and by what. Candidates for people and for the other
 * steps to look at; being listed here has no effect by itself, because what an attacker got into is mostly innocent.
 */
export function blastRadius(incident: Incident, surroundings: Surroundings): Outcome {
  const attacked = attackedPods(incident, surroundings.pods);
  const traits = traitsOf(incident, attacked);
  const found = new Map<string, Entry>();
  const nodes = new Set(incident.status?.nodes ?? []);
  let neighbours = 0;
  for (const pod of surroundings.pods.values()) {
    if (!pod.exists || belongs(pod, incident)) continue;
    if (pod.node !== undefined && nodes.has(pod.node)) neighbours++;
    const links = [...connections(pod, traits)];
    if (links.length > 0) connect(entryOf(found, pod), links).candidate.pods++;
  }
  const shown = signsOf(incident);
  for (const other of surroundings.incidents) {
    const reason = sharedWith(other, incident, shown);
    if (reason !== undefined) connect(entryOf(found, other.spec), [[WEIGHT.incident, reason]]);
  }
  // What the audit stream says is theirs, by whichever replica it was found out.
  for (const { namespace, kind, name, strength, reasons } of incident.status?.attribution?.siblings ?? []) {
    const links = reasons.map((reason): [number, string] => [WEIGHT[strength], reason]);
    connect(entryOf(found, { namespace, workload: { kind, name } }), links);
  }
  const sorted = [...found.values()].sort(
    (a, b) => b.weight - a.weight || (keyOf(a.candidate) < keyOf(b.candidate) ? -1 : 1),
  );
  const candidates = sorted.map(({ candidate }) => candidate).slice(0, INCIDENT_BOUNDS.candidates);
  return {
    state: 'Done',
    message:
      `${count(attacked.length, 'pod')} of the workload known here; ${count(sorted.length, 'other workload')} ` +
      `connected with it; ${count(neighbours, 'other pod')} on its nodes.`,
    evidence: [
      ...ownerLines(attacked),
      ...candidates.map(
        ({ namespace, kind, name, pods, reasons }) =>
          `${kind} ${namespace}/${name} (${count(pods, 'pod')}): ${reasons.join('; ')}`,
      ),
    ],
    found: { blastRadius: candidates, serviceAccounts: attackedAccounts(incident, attacked) },
  };
}

/** Pods of the workload, those that detections named included. */
function attackedPods(incident: Incident, pods: Surroundings['pods']): KnownPod[] {
  const named = (incident.status?.pods ?? []).flatMap((each) => {
    const [namespace = '', name = ''] = each.split('/');
    return pods.named(namespace, name) ?? [];
  });
  const owned = [...pods.values()].filter((pod) => belongs(pod, incident));
  return [...new Map([...named, ...owned].map((pod) => [pod.uid, pod])).values()];
}

/** Chains of owners that a step tells. */
const CHAINS = 4;

/** From the pod up, as the pods say it, one for each chain. */
function ownerLines(attacked: readonly KnownPod[]): string[] {
  const chains = new Map<string, string>();
  for (const { namespace, name, maker, workload } of attacked) {
    const owners = [maker, workload.kind === 'Pod' ? undefined : workload].flatMap((owner) =>
      owner ? [`made by ${owner.kind} ${owner.name}`] : [],
    );
    const key = owners.join();
    if (!chains.has(key)) chains.set(key, [`owners: Pod ${namespace}/${name}`, ...owners].join(', '));
  }
  return [...chains.values()].sort().slice(0, CHAINS);
}

interface Traits {
  namespace: string;
  templates: ReadonlySet<string>;
  images: ReadonlySet<string>;
  creators: ReadonlySet<string>;
  accounts: ReadonlySet<string>;
}

function traitsOf({ spec }: Incident, attacked: readonly KnownPod[]): Traits {
  const containers = attacked.flatMap((pod) => pod.containers);
  const creators = attacked.flatMap(({ creator }) => creator ?? []);
  return {
    namespace: spec.namespace,
    templates: new Set(containers.flatMap(({ template }) => template ?? [])),
    images: new Set(containers.flatMap(({ imageDigest }) => imageDigest ?? [])),
    creators: new Set(creators.filter((creator) => !creator.startsWith(CONTROLLERS))),
    accounts: new Set(
      attacked.map(({ serviceAccount }) => serviceAccount).filter((name) => name !== 'default'),
    ),
  };
}

function* connections(pod: KnownPod, traits: Traits): Generator<[weight: number, reason: string]> {
  if (pod.containers.some(({ template }) => template !== undefined && traits.templates.has(template))) {
    yield [WEIGHT.template, 'runs the same image with the same command'];
  }
  if (pod.containers.some(({ imageDigest }) => imageDigest !== undefined && traits.images.has(imageDigest))) {
    yield [WEIGHT.image, 'runs the same image'];
  }
  if (pod.creator !== undefined && traits.creators.has(pod.creator)) {
    yield [WEIGHT.creator, `was created by ${pod.creator} as well`];
  }
  if (pod.namespace === traits.namespace && traits.accounts.has(pod.serviceAccount)) {
    yield [WEIGHT.account, `uses the service account ${pod.serviceAccount} as well`];
  }
}

/** By what other incidents are held against this one. */
interface Signs {
  traits: ReadonlySet<string>;
  nodes: ReadonlySet<string>;
  rules: ReadonlySet<string>;
}

function signsOf({ status }: Incident): Signs {
  return {
    traits: new Set((status?.fingerprint ?? []).map(({ facet, value }) => `${facet} ${value}`)),
    nodes: new Set(status?.nodes),
    rules: new Set(status?.detections.map(({ rule }) => rule)),
  };
}

/** Another incident of the same kind nearby, or with a trait in common. */
function sharedWith(other: Incident, incident: Incident, shown: Signs): string | undefined {
  if (other.metadata.name === incident.metadata.name || !isOpen(other)) return undefined;
  if (other.spec.namespace === '') return undefined;
  const trait = other.status?.fingerprint.find(({ facet, value }) => shown.traits.has(`${facet} ${value}`));
  if (trait) return `incident ${other.metadata.name} shows the same ${trait.facet}`;
  const near =
    other.spec.namespace === incident.spec.namespace ||
    other.status?.nodes.some((node) => shown.nodes.has(node));
  const alike = other.status?.detections.find(({ rule }) => shown.rules.has(rule));
  return near && alike ? `incident ${other.metadata.name} nearby shows ${alike.rule} as well` : undefined;
}

function belongs({ namespace, workload }: KnownPod, { spec }: Incident): boolean {
  return (
    namespace === spec.namespace &&
    workload.kind === spec.workload.kind &&
    workload.name === spec.workload.name
  );
}

interface Entry {
  candidate: BlastCandidate;
  weight: number;
}

function entryOf(
  found: Map<string, Entry>,
  { namespace, workload }: Pick<KnownPod, 'namespace' | 'workload'>,
): Entry {
  const candidate: BlastCandidate = { namespace, ...workload, pods: 0, reasons: [] };
  const entry = found.get(keyOf(candidate)) ?? { candidate, weight: 0 };
  found.set(keyOf(candidate), entry);
  return entry;
}

function connect(entry: Entry, links: readonly (readonly [weight: number, reason: string])[]): Entry {
  const { reasons } = entry.candidate;
  for (const [weight, text] of links) {
    const reason = text.slice(0, REASON);
    if (reasons.length === REASONS || reasons.includes(reason)) continue;
    reasons.push(reason);
    entry.weight += weight;
  }
  return entry;
}

function keyOf({ namespace, kind, name }: BlastCandidate): string {
  return `${namespace}/${kind}/${name}`;
}
