/** Rules of admissionregistration.k8s.io/v1: what the webhook is asked about. */
export interface ResourceRule {
  operations: string[];
  apiGroups: string[];
  apiVersions: string[];
  resources: string[];
  scope: 'Namespaced';
}

function rule(operations: string[], group: string, resources: string[]): ResourceRule {
  return { operations, apiGroups: [group], apiVersions: ['*'], resources, scope: 'Namespaced' };
}

const WRITES = ['CREATE', 'UPDATE'];

/** Groups whose objects hold pods, scripts or values of charts in shapes of their own; they are judged by structure. */
export const EMBEDDING: readonly string[] = [
  'actions.github.com',
  'apps.kruise.io',
  'apps.openshift.io',
  'argoproj.io',
  'batch.volcano.sh',
  'build.openshift.io',
  'flink.apache.org',
  'helm.cattle.io',
  'helm.toolkit.fluxcd.io',
  'jobset.x-k8s.io',
  'keda.sh',
  'kubeflow.org',
  'kubernetes.crossplane.io',
  'kubevirt.io',
  'leaderworkerset.x-k8s.io',
  'openfaas.com',
  'postgresql.cnpg.io',
  'ray.io',
  'serving.knative.dev',
  'sparkoperator.k8s.io',
  'tekton.dev',
];

/** Everything that holds what will run. Pods alone would do; owners too let the user see the refusal at once. */
const WORKLOADS: ResourceRule[] = [
  rule(WRITES, 'apps', ['daemonsets', 'deployments', 'replicasets', 'statefulsets']),
  rule(WRITES, 'batch', ['cronjobs', 'jobs']),
  ...EMBEDDING.map((group) => rule(WRITES, group, ['*'])),
];

const PODS = ['pods', 'pods/ephemeralcontainers', 'replicationcontrollers', 'podtemplates'];

/** What the deploy gate reads. */
export const JUDGED: ResourceRule[] = [rule(WRITES, '', [...PODS, 'configmaps']), ...WORKLOADS];

/** What brings annotations and labels to a pod that was judged without them, and that may read them as variables or files. */
export const BINDINGS: ResourceRule[] = [rule(['CREATE'], '', ['pods/binding', 'bindings'])];

/** What a contained namespace refuses: everything through which code comes to run, somebody in, or traffic out. */
export const CONTAINED: ResourceRule[] = [
  rule(WRITES, '', [...PODS, 'pods/resize', 'replicationcontrollers/scale']),
  rule(['CREATE'], '', ['pods/binding', 'bindings', 'serviceaccounts/token']),
  rule(['CONNECT'], '', ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'services/proxy']),
  ...WORKLOADS,
  // Policies add up: another one would open what ours closes.
  rule([...WRITES, 'DELETE'], 'networking.k8s.io', ['networkpolicies']),
  rule(['UPDATE'], 'apps', ['deployments/scale', 'replicasets/scale', 'statefulsets/scale']),
];
