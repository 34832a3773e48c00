import type { KubeObject } from '../../api/object.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import type { Finding, Situation } from './situation.ts';

const OLDEST_KERNEL = [5, 10] as const;
const ARCHITECTURES = ['amd64', 'arm64'];

interface NodeInfo {
  kernelVersion?: string;
  architecture?: string;
  operatingSystem?: string;
}

/** Kernels and architectures that the agent knows. */
export async function nodes({ cluster }: Situation): Promise<Finding> {
  const kernels = new Set<string>();
  const unfit: string[] = [];
  let count = 0;
  for await (const { metadata, status } of everyObject(cluster, KIND.Node)) {
    count++;
    const info = (status as { nodeInfo?: NodeInfo } | undefined)?.nodeInfo ?? {};
    const why = unfitness(info);
    if (why) unfit.push(`${metadata.name} (${why})`);
    else kernels.add(`Linux ${info.kernelVersion} ${info.architecture}`);
  }
  if (count === 0) return { state: 'look', detail: 'none yet' };
  if (unfit.length === 0) return { state: 'ok', detail: `${count}: ${[...kernels].slice(0, 4).join(', ')}` };
  const shown = unfit.slice(0, 4).join(', ');
  const detail = `nothing is watched at run time on ${unfit.length} of ${count}: ${shown}`;
  return { state: unfit.length === count ? 'WRONG' : 'look', detail };
}

function unfitness({ kernelVersion = '', architecture = '', operatingSystem = 'linux' }: NodeInfo) {
  if (operatingSystem !== 'linux') return operatingSystem;
  if (!ARCHITECTURES.includes(architecture)) return `architecture ${architecture || 'unknown'}`;
  const [major = 0, minor = 0] = kernelVersion.split('.').map((part) => Number.parseInt(part, 10));
  const [least, leastMinor] = OLDEST_KERNEL;
  const isOld = major < least || (major === least && minor < leastMinor);
  return isOld ? `kernel ${kernelVersion}, older than ${OLDEST_KERNEL.join('.')}` : undefined;
}

/** Names that no registry answers to have to be on every node already. */
export async function images({ manifest }: Situation): Promise<Finding> {
  const names = manifest.flatMap(({ spec }) => {
    const { template } = (spec ?? {}) as { template?: { spec?: { containers?: { image: string }[] } } };
    return template?.spec?.containers?.map(({ image }) => image) ?? [];
  });
  const homeless = names.filter((name) => !/^[^/]*[.:][^/]*\//.test(name));
  if (homeless.length === 0) return { state: 'ok', detail: names.join(', ') };
  const detail = `${homeless.join(', ')}: of no registry, so each node has to have them already (npm run image builds them)`;
  return { state: 'look', detail };
}

/** DaemonSets of network plugins, by whether they enforce NetworkPolicy. */
const PLUGINS: Readonly<Record<string, boolean>> = {
  'calico-node': true,
  cilium: true,
  'antrea-agent': true,
  'kube-router': true,
  'weave-net': true,
  kindnet: true,
  'azure-npm': true,
  'ovnkube-node': true,
  'kube-flannel-ds': false,
  'kube-flannel': false,
};

/** Nothing in the API says whether NetworkPolicy is enforced; the names of known plugins do. */
export async function network({ cluster }: Situation): Promise<Finding> {
  const known: KubeObject[] = [];
  for await (const daemonSet of everyObject(cluster, KIND.DaemonSet)) {
    if ((daemonSet.metadata.name ?? '') in PLUGINS) known.push(daemonSet);
  }
  const ours = 'a quarantine still cuts egress in the kernel of every watched node; ingress stays open';
  const enforcing = known.find(({ metadata }) => PLUGINS[metadata.name ?? '']);
  if (enforcing) {
    const { name } = enforcing.metadata;
    return { state: 'ok', detail: `${name} enforces NetworkPolicy` };
  }
  const name = known[0]?.metadata.name;
  return name === undefined
    ? { state: 'unknown', detail: `whether NetworkPolicy is enforced cannot be told here: if not, ${ours}` }
    : { state: 'look', detail: `${name} does not enforce NetworkPolicy: ${ours}` };
}
