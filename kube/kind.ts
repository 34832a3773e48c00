import type { Denial } from '../api/denial.ts';
import type { Incident } from '../api/incident.ts';
import { API_VERSION } from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import type { Quarantine } from '../api/quarantine.ts';
import type { SentryPolicy } from '../api/sentry-policy.ts';

/** How the API server addresses objects of one kind. */
export interface ResourceName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** The same, knowing that the objects look like `T`. */
export interface Kind<T = KubeObject> extends ResourceName {
  /** Never set; carries `T`. */
  readonly shape?: T;
}

function kind<T = KubeObject>(apiVersion: string, name: string, plural: string, namespaced = true): Kind<T> {
  return { apiVersion, kind: name, plural, namespaced };
}

/** The kinds that Kubesentry itself reads or writes. */
export const KIND = {
  Namespace: kind('v1', 'Namespace', 'namespaces', false),
  Node: kind('v1', 'Node', 'nodes', false),
  Pod: kind('v1', 'Pod', 'pods'),
  Secret: kind('v1', 'Secret', 'secrets'),
  ConfigMap: kind('v1', 'ConfigMap', 'configmaps'),
  Service: kind('v1', 'Service', 'services'),
  ServiceAccount: kind('v1', 'ServiceAccount', 'serviceaccounts'),
  DaemonSet: kind('apps/v1', 'DaemonSet', 'daemonsets'),
  Deployment: kind('apps/v1', 'Deployment', 'deployments'),
  ReplicaSet: kind('apps/v1', 'ReplicaSet', 'replicasets'),
  StatefulSet: kind('apps/v1', 'StatefulSet', 'statefulsets'),
  ReplicationController: kind('v1', 'ReplicationController', 'replicationcontrollers'),
  Job: kind('batch/v1', 'Job', 'jobs'),
  CronJob: kind('batch/v1', 'CronJob', 'cronjobs'),
  Role: kind('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  RoleBinding: kind('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  ClusterRole: kind('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', false),
  ClusterRoleBinding: kind(
    'rbac.authorization.k8s.io/v1',
    'ClusterRoleBinding',
    'clusterrolebindings',
    false,
  ),
  NetworkPolicy: kind('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  Lease: kind('coordination.k8s.io/v1', 'Lease', 'leases'),
  Event: kind('events.k8s.io/v1', 'Event', 'events'),
  Report: kind('openreports.io/v1alpha1', 'Report', 'reports'),
  SelfSubjectReview: kind('authentication.k8s.io/v1', 'SelfSubjectReview', 'selfsubjectreviews', false),
  ValidatingWebhookConfiguration: kind(
    'admissionregistration.k8s.io/v1',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
    false,
  ),
  ValidatingAdmissionPolicy: kind(
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicy',
    'validatingadmissionpolicies',
    false,
  ),
  ValidatingAdmissionPolicyBinding: kind(
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
    false,
  ),
  Denial: kind<Denial>(API_VERSION, 'Denial', 'denials'),
  Incident: kind<Incident>(API_VERSION, 'Incident', 'incidents', false),
  Quarantine: kind<Quarantine>(API_VERSION, 'Quarantine', 'quarantines', false),
  SentryPolicy: kind<SentryPolicy>(API_VERSION, 'SentryPolicy', 'sentrypolicies'),
} as const;

/** The core group is the empty one. */
export function groupVersion({ apiVersion }: ResourceName): { group: string; version: string } {
  const [first = '', second] = apiVersion.split('/');
  return second === undefined ? { group: '', version: first } : { group: first, version: second };
}
