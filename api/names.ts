/** Names that users, manifests and every process of Kubesentry agree on. */

export const VERSION = '0.1.0';

/** API group and version of our custom resources. */
export const GROUP = 'kubesentry.io';
export const API_VERSION = `${GROUP}/v1alpha1` as const;

/** The namespace that Kubesentry runs in; the only one whose SentryPolicies count. */
export const SYSTEM_NAMESPACE = 'kubesentry-system';

/** Field manager of every server-side apply that we make. */
export const FIELD_MANAGER = 'kubesentry';

/** Audience of the projected service-account tokens by which agents prove who they are. */
export const TOKEN_AUDIENCE = 'kubesentry';

/** Service accounts of our own two programs, as the API server names them. */
export const WEBHOOK_USER = `system:serviceaccount:${SYSTEM_NAMESPACE}:kubesentry-webhook`;
export const AGENT_USER = `system:serviceaccount:${SYSTEM_NAMESPACE}:kubesentry-agent`;

/** The ConfigMap in our namespace in which the webhook tells the agents whom to trust. */
export const CA_CONFIG_MAP = 'kubesentry-ca';

/** The ConfigMap in our namespace in which the webhook tells what it found among the workloads that exist. */
export const BACKGROUND_CONFIG_MAP = 'kubesentry-background';

/** ConfigMaps in our namespace: what agents say of their nodes, and what workloads usually take of CPU time. */
export const NODES_CONFIG_MAP = 'kubesentry-nodes';
export const HABITS_CONFIG_MAP = 'kubesentry-habits';

/** Members may lift what Kubesentry enforces: quarantine labels, our objects, contained namespaces. */
export const BREAK_GLASS_GROUP = 'kubesentry:break-glass';

export const LABEL = {
  /** On a namespace: its value is the name of the Quarantine that contains it. */
  quarantine: `${GROUP}/quarantine`,
  /** On objects that belong to an incident: the incident's name. */
  incident: `${GROUP}/incident`,
  /** On a pod that was taken out of Services: the name of the Quarantine. */
  detached: `${GROUP}/detached`,
  /** On a ConfigMap of ours that holds detections which wait for their incidents. */
  journal: `${GROUP}/journal`,
} as const;

/** The NetworkPolicy that denies everything in a contained namespace. */
export const QUARANTINE_NETWORK_POLICY = 'kubesentry-quarantine';

/** Annotation on a contained namespace: since when and why, in words; what the API server's own refusal shows. */
export const QUARANTINE_NOTE = `${GROUP}/quarantine-note`;

/** Annotation on a detached pod: the labels that were taken from it, as JSON. */
export const DETACHED_LABELS = `${GROUP}/detached-labels`;

/** Namespaces that a cluster cannot live without: judged and reported, never blocked or contained as a whole. */
export const PROTECTED_NAMESPACES: readonly string[] = [
  'kube-system',
  'kube-public',
  'kube-node-lease',
  SYSTEM_NAMESPACE,
];
