import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { everyObject } from '../../../kube/every-object.ts';
import { KIND, type Kind } from '../../../kube/kind.ts';

interface Rule {
  apiGroups?: string[];
  resources?: string[];
  verbs?: string[];
}

interface Role extends KubeObject {
  rules?: Rule[];
}

interface Binding extends KubeObject {
  roleRef: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
}

/** What an attacker who holds a token would use, each with the reason to name it. */
const EXCESS: readonly { resources: readonly string[]; verbs: readonly string[]; means: string }[] = [
  { resources: ['secrets'], verbs: ['get', 'list', 'watch'], means: 'reads Secrets' },
  { resources: ['pods/exec', 'pods/attach'], verbs: ['create', 'get'], means: 'enters containers' },
  { resources: ['nodes/proxy'], verbs: ['create', 'get'], means: 'talks to kubelets, which run commands' },
  { resources: ['serviceaccounts/token'], verbs: ['create'], means: 'makes tokens of other accounts' },
  {
    resources: ['pods', 'daemonsets', 'deployments', 'statefulsets', 'replicasets', 'jobs', 'cronjobs'],
    verbs: ['create', 'update', 'patch'],
    means: 'starts workloads',
  },
  {
    resources: ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'],
    verbs: ['create', 'update', 'patch', 'bind', 'escalate'],
    means: 'gives itself rights',
  },
  { resources: ['users', 'groups', 'serviceaccounts'], verbs: ['impersonate'], means: 'acts as others' },
];

/**
 * Says for every binding of an account of the namespace what it gives, and what of that an attacker would use. The
 * accounts of the attacked pods come first, then what any pod could use that is started there.
 */
export async function reviewAccess(
  cluster: Cluster,
  namespace: string,
  attacked: readonly string[],
): Promise<string[]> {
  const lines: { line: string; weight: number }[] = [];
  for await (const binding of bindingsIn(cluster, namespace)) {
    const names = accountsOf(binding, namespace);
    if (names.length === 0) continue;
    const { kind, name } = binding.roleRef;
    const role =
      kind === 'ClusterRole'
        ? await cluster.get<Role>(KIND.ClusterRole as Kind<Role>, { name })
        : await cluster.get<Role>(KIND.Role as Kind<Role>, { name, namespace });
    const means = role ? excessOf(role.rules ?? []) : [`the role does not exist`];
    const where = binding.kind === 'ClusterRoleBinding' ? 'everywhere' : `in ${namespace}`;
    const isTheirs = names.some((each) => each === EVERYBODY || attacked.includes(each));
    lines.push({
      line:
        `${means.length > 0 ? 'excess' : 'access'}: ${names.join(', ')} has ${kind} ${name} ${where} ` +
        `(${binding.kind} ${binding.metadata.name})${means.length > 0 ? `: ${means.join(', ')}` : ''}`,
      weight: (means.length > 0 ? 2 : 0) + (isTheirs ? 1 : 0),
    });
  }
  // What matters first.
  return lines.sort((a, b) => b.weight - a.weight).map(({ line }) => line);
}

/** Pure: which of the rights that attackers use these rules give. */
function excessOf(rules: readonly Rule[]): string[] {
  if (rules.some(({ resources = [], verbs = [] }) => resources.includes('*') && verbs.includes('*'))) {
    return ['may do everything'];
  }
  const found = new Set<string>();
  for (const { resources = [], verbs = [] } of rules) {
    for (const each of EXCESS) {
      if (grants(resources, each.resources) && grants(verbs, each.verbs)) found.add(each.means);
    }
  }
  return [...found];
}

/** Whether a rule's list names one of these, or everything. */
function grants(listed: readonly string[], wanted: readonly string[]): boolean {
  return listed.includes('*') || wanted.some((name) => listed.includes(name));
}

async function* bindingsIn(cluster: Cluster, namespace: string): AsyncGenerator<Binding> {
  yield* everyObject(cluster, KIND.RoleBinding as Kind<Binding>, namespace);
  yield* everyObject(cluster, KIND.ClusterRoleBinding as Kind<Binding>);
}

const EVERYBODY = 'every account';

/** Accounts of the namespace that it speaks of; groups of service accounts count as well (pkg/serviceaccount/util.go). */
function accountsOf({ subjects = [] }: Binding, namespace: string): string[] {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  const names = subjects.flatMap(({ kind, name, namespace: of }) => {
    if (kind === 'Group') return groups.includes(name) ? EVERYBODY : [];
    return kind === 'ServiceAccount' && of === namespace ? name : [];
  });
  return [...new Set(names)];
}
