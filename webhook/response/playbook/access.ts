import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
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

/** What an attacker who holds a token would use, each with the reason to name it. Empty verbs mean any. */
const EXCESS: readonly { resources: readonly string[]; verbs: readonly string[]; means: string }[] = [
  { resources: ['*'], verbs: ['*'], means: 'may do everything' },
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

/** Says for every binding of these service accounts what it gives, and what of that an attacker would use. */
export async function reviewAccess(
  cluster: Cluster,
  namespace: string,
  accounts: readonly string[],
): Promise<string[]> {
  const lines: string[] = [];
  const bindings = [
    ...(await allOf<Binding>(cluster, KIND.RoleBinding, namespace)),
    ...(await allOf<Binding>(cluster, KIND.ClusterRoleBinding)),
  ];
  for (const binding of bindings) {
    const account = accounts.find((name) => speaksOf(binding, namespace, name));
    if (account === undefined) continue;
    const { kind, name } = binding.roleRef;
    const role =
      kind === 'ClusterRole'
        ? await cluster.get<Role>(KIND.ClusterRole as Kind<Role>, { name })
        : await cluster.get<Role>(KIND.Role as Kind<Role>, { name, namespace });
    const means = role ? excessOf(role.rules ?? []) : [`the role does not exist`];
    const where = binding.kind === 'ClusterRoleBinding' ? 'everywhere' : `in ${namespace}`;
    lines.push(
      `${means.length > 0 ? 'excess' : 'access'}: ${account} has ${kind} ${name} ${where} ` +
        `(${binding.kind} ${binding.metadata.name})${means.length > 0 ? `: ${means.join(', ')}` : ''}`,
    );
  }
  // What matters first.
  return lines.sort((a, b) =>
    a.startsWith('excess') === b.startsWith('excess') ? 0 : a.startsWith('excess') ? -1 : 1,
  );
}

/** Pure: which of the rights that attackers use these rules give. */
export function excessOf(rules: readonly Rule[]): string[] {
  const found = new Set<string>();
  for (const { resources = [], verbs = [] } of rules) {
    for (const each of EXCESS) {
      const everything = each.resources.includes('*');
      const resource = everything
        ? resources.includes('*')
        : resources.includes('*') || each.resources.some((name) => resources.includes(name));
      const verb = everything
        ? verbs.includes('*')
        : verbs.includes('*') || each.verbs.some((name) => verbs.includes(name));
      if (resource && verb) found.add(each.means);
    }
  }
  return found.has('may do everything') ? ['may do everything'] : [...found];
}

/** Groups of service accounts count as well (pkg/serviceaccount/util.go). */
function speaksOf({ subjects = [] }: Binding, namespace: string, account: string): boolean {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  return subjects.some(({ kind, name, namespace: of }) =>
    kind === 'ServiceAccount'
      ? name === account && of === namespace
      : kind === 'Group' && groups.includes(name),
  );
}

async function allOf<T extends KubeObject>(cluster: Cluster, kind: Kind, namespace?: string): Promise<T[]> {
  const all: T[] = [];
  let next: string | undefined;
  do {
    const page = await cluster.list<T>(kind as Kind<T>, { namespace, limit: 500, continue: next });
    all.push(...page.items);
    next = page.continue;
  } while (next);
  return all;
}
