import { LABEL, PROTECTED_NAMESPACES, QUARANTINE_NETWORK_POLICY, QUARANTINE_NOTE } from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import { KEEPERS } from './admission/requester.ts';
import { IS_CLEANER, MAY_NOT_OVERRULE } from './configuration.ts';
import { CONTAINED } from './resources.ts';

/** Of the policy and of its binding. */
export const QUARANTINE_POLICY = 'kubesentry-quarantine';

/** Absent, not empty, for the object itself. */
const SUBRESOURCE = "request.?subResource.orValue('')";

const SCALABLE = "['deployments', 'replicasets', 'statefulsets', 'replicationcontrollers']";

const same = (field: string) =>
  `object.metadata.?${field}.orValue({}) == oldObject.metadata.?${field}.orValue({})`;
const fewer = (absent: number) =>
  `object.spec.?replicas.orValue(${absent}) <= oldObject.spec.?replicas.orValue(${absent})`;

/**
 * A Secret of this type gets a token of an account. The webhook is not asked about it: it would be shown the contents of
 * all others.
 */
const TOKEN_SECRETS = {
  operations: ['CREATE'],
  apiGroups: [''],
  apiVersions: ['v1'],
  resources: ['secrets'],
  scope: 'Namespaced',
};

/** As runs-code.ts decides: tokens for the kubelet, scaling down, and updates that start nothing. */
const IS_HARMLESS = [
  `(request.operation == 'DELETE' && (oldObject.metadata.name != '${QUARANTINE_NETWORK_POLICY}' || ${IS_CLEANER}))`,
  `(${SUBRESOURCE} == 'token' && 'system:nodes' in request.userInfo.groups)`,
  "(request.resource.resource == 'secrets' && object.type != 'kubernetes.io/service-account-token')",
  `(${SUBRESOURCE} == 'scale' && ${fewer(0)})`,
  `(request.operation == 'UPDATE' && ${SUBRESOURCE} == '' && object.spec == oldObject.spec` +
    ` && (request.resource.resource != 'pods' || (${same('labels')} && ${same('annotations')})))`,
  `(request.operation == 'UPDATE' && ${SUBRESOURCE} == '' && request.resource.resource in ${SCALABLE}` +
    ` && object.spec.template == oldObject.spec.template && ${fewer(1)})`,
].join(' || ');

const listOf = (names: readonly string[]) => `[${names.map((name) => `'${name}'`).join(', ')}]`;

/** As requester.ts decides: what must go on where the cluster lives, also when people contain it. */
const KEEPS_THE_CLUSTER =
  `namespaceObject.metadata.name in ${listOf(PROTECTED_NAMESPACES)} && ` +
  `('system:nodes' in request.userInfo.groups || request.userInfo.username in ${listOf(KEEPERS)})`;

const NAME_OF_IT = `namespaceObject.metadata.labels['${LABEL.quarantine}']`;

/** This policy has the word before any webhook, so the namespace itself has to say why. */
const MESSAGE =
  `'namespace ' + namespaceObject.metadata.name + ' is in quarantine ' + ${NAME_OF_IT} + ` +
  `namespaceObject.metadata.?annotations[?'${QUARANTINE_NOTE}'].orValue('.') + ` +
  `' To do: kubectl kubesentry release ' + ${NAME_OF_IT} + ' ends the quarantine.'`;

/**
 * Quarantine inside the API server: it holds when no replica of the webhook is alive, and when somebody deletes the
 * webhook's configuration. A ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1, Kubernetes 1.30) and its
 * binding.
 */
export function quarantinePolicy(): [policy: KubeObject, binding: KubeObject] {
  const labels = { 'app.kubernetes.io/part-of': 'kubesentry' };
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: QUARANTINE_POLICY, labels },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          matchPolicy: 'Equivalent',
          namespaceSelector: { matchExpressions: [{ key: LABEL.quarantine, operator: 'Exists' }] },
          resourceRules: [...CONTAINED, TOKEN_SECRETS],
        },
        matchConditions: [MAY_NOT_OVERRULE],
        validations: [
          {
            expression: `(${KEEPS_THE_CLUSTER}) || ${IS_HARMLESS}`,
            messageExpression: MESSAGE,
            reason: 'Forbidden',
          },
        ],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: QUARANTINE_POLICY, labels },
      spec: { policyName: QUARANTINE_POLICY, validationActions: ['Deny', 'Audit'] },
    },
  ];
}

/** What keeps them from refusing, a sentence each, as they are in the API server. Pure. */
export function policyGaps(policy: KubeObject | undefined, binding: KubeObject | undefined): string[] {
  const { validationActions = [] } = (binding?.spec ?? {}) as { validationActions?: string[] };
  return [
    ...(policy ? [] : [`ValidatingAdmissionPolicy ${QUARANTINE_POLICY} is missing.`]),
    ...(binding ? [] : [`ValidatingAdmissionPolicyBinding ${QUARANTINE_POLICY} is missing.`]),
    ...(binding && !validationActions.includes('Deny')
      ? [`ValidatingAdmissionPolicyBinding ${QUARANTINE_POLICY} does not deny.`]
      : []),
  ];
}
