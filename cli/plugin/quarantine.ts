import { createHash } from 'node:crypto';
import type { WorkloadRef } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import { API_VERSION, BREAK_GLASS_GROUP, PROTECTED_NAMESPACES } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../kube/workloads.ts';
import { controllerOf, topOwner, workloadOfPod } from '../../webhook/top-owner.ts';
import { age, LIST_HELP, LIST_OPTIONS, list, type Table } from './listing.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry quarantine [NAMESPACE [KIND/NAME] --reason TEXT [--expires TIME]]

Contains a namespace, or one workload in it: nothing new runs there, nobody gets in, its pods lose the network.
Without arguments it lists what is contained. Containing needs membership of the group ${BREAK_GLASS_GROUP}.
To end one: kubectl kubesentry release NAME

Examples:
  kubectl kubesentry quarantine                                        what is contained
  kubectl kubesentry quarantine shop --reason "odd traffic" --expires 4h
  kubectl kubesentry quarantine shop Deployment/web --reason "odd traffic" --as=me --as-group=${BREAK_GLASS_GROUP}

      --reason TEXT      why; users read it in every refusal
      --expires TIME     when it ends by itself, such as 30m, 4h or 2d; never without it
      --even-if-protected
                         contain ${PROTECTED_NAMESPACES.join(', ')}
                         as a whole. Whoever deploys there, gets into a pod or asks for a token is refused; nodes, the
                         scheduler and the controllers of Kubernetes are not, nor is any network cut, so that the
                         cluster goes on: what ran there is brought back, new things do not come
${LIST_HELP}
`;

/** How long the webhook may take to put it in force, milliseconds. */
const PATIENCE_MS = 15_000;

export const quarantineCommand = pluginCommand(
  {
    text: USAGE,
    arguments: [0, 2],
    options: {
      reason: {},
      expires: {},
      'even-if-protected': { isSwitch: true },
      ...LIST_OPTIONS,
    },
  },
  quarantine,
);

const TABLE: Table<Quarantine> = {
  header: ['NAME', 'NAMESPACE', 'WORKLOAD', 'PHASE', 'BY', 'BANS', 'EXPIRES', 'AGE'],
  wide: ['INCIDENT', 'REASON'],
  row: ({ metadata, spec, status }) => [
    metadata.name ?? '',
    spec.namespace,
    spec.workload ? `${spec.workload.kind}/${spec.workload.name}` : '<all>',
    status?.phase ?? 'Pending',
    spec.requestedBy,
    String(spec.bans.length),
    spec.expiresAt ?? '<never>',
    age(metadata.creationTimestamp),
  ],
  wideRow: ({ spec }) => [spec.incident ?? '<none>', spec.reason],
  compare: (a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1),
};

/** Raises USAGE, KUBE_NOT_FOUND, BREAK_GLASS_NEEDED for who is not allowed to, NOT_READY when nobody puts it in force. */
export async function quarantine(session: Session): Promise<void> {
  const { connect, positionals, option, write } = session;
  const [namespace, target] = positionals;
  if (namespace === undefined) {
    return list(session, KIND.Quarantine, TABLE, {
      isMeant: ({ spec }) => session.namespace === undefined || spec.namespace === session.namespace,
      empty: 'Nothing is contained.',
    });
  }
  const reason = option('reason')?.trim();
  if (!reason) throw new KubesentryError('USAGE', 'Say why, for those who will be refused: --reason TEXT.');
  const workload = target === undefined ? undefined : workloadOf(target);
  const insists = session.flag('even-if-protected');
  if (!workload && PROTECTED_NAMESPACES.includes(namespace) && !insists) {
    throw new KubesentryError(
      'USAGE',
      `The cluster lives on ${namespace}, so it is not contained as a whole: name a workload of it as KIND/NAME, ` +
        'or insist with --even-if-protected (--help says what is refused then).',
    );
  }
  const expires = option('expires');
  const wanted: Quarantine = {
    apiVersion: API_VERSION,
    kind: 'Quarantine',
    metadata: { name: nameOf(namespace, workload) },
    spec: {
      namespace,
      ...(workload && { workload }),
      ...(!workload && insists && { evenIfProtected: true }),
      reason: reason.slice(0, 1024),
      requestedBy: 'kubectl kubesentry quarantine',
      bans: [],
      ...(expires !== undefined && { expiresAt: new Date(Date.now() + durationMs(expires)).toISOString() }),
    },
  };
  const cluster = await connect();
  if (!(await cluster.get(KIND.Namespace, { name: namespace }))) {
    throw new KubesentryError('KUBE_NOT_FOUND', `There is no namespace "${namespace}".`);
  }
  if (workload) await mustBeThere(workload, namespace, cluster, session);
  wanted.spec.requestedBy = (await whoAsks(cluster)) ?? wanted.spec.requestedBy;
  const name = wanted.metadata.name ?? '';
  await cluster.create(KIND.Quarantine, wanted).catch((error: unknown) => {
    if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
    throw new KubesentryError('USAGE', `Quarantine ${name} is in force already.`);
  });
  await activation(cluster, name);
  write(
    `${workload ? `${workload.kind} ${namespace}/${workload.name}` : `namespace ${namespace}`} is contained. ` +
      `To end it: kubectl kubesentry release ${name}\n`,
  );
}

/** As the API server knows whoever runs this; undefined where it does not tell (before Kubernetes 1.28). */
async function whoAsks(cluster: Cluster): Promise<string | undefined> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {} };
  try {
    const { status } = await cluster.create<KubeObject>(KIND.SelfSubjectReview, review);
    return (status as { userInfo?: { username?: string } } | undefined)?.userInfo?.username?.slice(0, 1024);
  } catch (error) {
    if (error instanceof KubesentryError && error.code !== 'KUBE_UNREACHABLE') return undefined;
    throw error;
  }
}

async function activation(cluster: Cluster, name: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while ((await cluster.get(KIND.Quarantine, { name }))?.status?.phase !== 'Active') {
    if (performance.now() > deadline) {
      throw new KubesentryError(
        'NOT_READY',
        `Quarantine ${name} exists but is not in force: no webhook replica leads the response.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function workloadOf(target: string): { kind: string; name: string } {
  const [kind = '', name = ''] = target.split('/');
  if (!/^[A-Z][A-Za-z]+$/.test(kind) || name === '') {
    throw new KubesentryError(
      'USAGE',
      `Name the workload by its kind, such as Deployment/web, not "${target}".`,
    );
  }
  return { kind, name };
}

/** The name becomes a label value: at most 63. A hash tells apart what would have the same one. */
function nameOf(namespace: string, workload: WorkloadRef | undefined): string {
  const name = ['manual', namespace, workload?.name].filter(Boolean).join('-');
  if (!workload && name.length <= NAME_LENGTH) return name;
  const about = JSON.stringify([namespace, workload?.kind, workload?.name]);
  const end = `-${createHash('sha256').update(about).digest('hex').slice(0, 6)}`;
  return `${name.slice(0, NAME_LENGTH - end.length).replace(/[^a-z0-9]+$/, '')}${end}`;
}

const NAME_LENGTH = 63;

/**
 * A name with a typing error would be contained without anybody noticing, and so would a pod by a name that its owner
 * changes. Raises KUBE_NOT_FOUND and USAGE; who may not look is told so.
 */
async function mustBeThere(
  workload: WorkloadRef,
  namespace: string,
  cluster: Cluster,
  { warn }: Pick<Session, 'warn'>,
): Promise<void> {
  const { kind, name } = workload;
  const known = WORKLOAD_KINDS.find((each) => each.kind === kind);
  try {
    const found = known && (await cluster.get(known, { namespace, name }));
    const owner = found && ownerOf(found);
    if (owner) {
      throw new KubesentryError(
        'USAGE',
        `${kind} ${namespace}/${name} belongs to ${owner.kind} ${owner.name}: contain ${owner.kind}/${owner.name}.`,
      );
    }
    // Others have kinds of these names too, and kinds of their own.
    if (found || (await hasPods(workload, namespace, cluster))) return;
  } catch (error) {
    if (!(error instanceof KubesentryError && error.code === 'KUBE_REFUSED')) throw error;
    warn(`Whether there is a ${kind} ${namespace}/${name} was not looked at: you may not.\n`);
    return;
  }
  const problem = known
    ? `There is no ${kind} ${namespace}/${name}`
    : `No pod in ${namespace} belongs to a ${kind} ${name}, and Kubernetes itself has no such kind`;
  throw new KubesentryError(
    'KUBE_NOT_FOUND',
    `${problem}: nothing was contained. What there is: kubectl -n ${namespace} get all`,
  );
}

/** By which its pods are known instead, if they are. */
function ownerOf(object: KubeObject): WorkloadRef | undefined {
  const { kind, metadata } = object;
  const controller = controllerOf(metadata);
  if (kind === 'Pod') {
    const self = { kind, name: metadata.name ?? '' };
    const top = topOwner(self, metadata);
    return top === self ? undefined : top;
  }
  return WORKLOAD_KINDS.some((each) => each.kind === controller?.kind) ? controller : undefined;
}

async function hasPods({ kind, name }: WorkloadRef, namespace: string, cluster: Cluster): Promise<boolean> {
  for await (const pod of everyObject(cluster, KIND.Pod, namespace)) {
    const owner = workloadOfPod(pod);
    if (owner.kind === kind && owner.name === name) return true;
  }
  return false;
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function durationMs(text: string): number {
  const [, number, unit = ''] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (number === undefined || factor === undefined || Number(number) === 0) {
    throw new KubesentryError('USAGE', `--expires is a time such as 30m, 4h or 2d, not "${text}".`);
  }
  return Number(number) * factor;
}
