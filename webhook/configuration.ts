import {
  BREAK_GLASS_GROUP,
  GROUP,
  LABEL,
  PROTECTED_NAMESPACES,
  SYSTEM_NAMESPACE,
  WEBHOOK_USER,
} from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import { BINDINGS, CONTAINED, JUDGED } from './resources.ts';

/** Where the API server finds the webhook. */
export type Address =
  | { service: { name: string; namespace: string; port?: number } }
  /** Of the server, such as https://127.0.0.1:8443. */
  | { url: string };

export const CONFIGURATION_NAME = 'kubesentry';

/** Seconds. Longer ones have broken lease renewals of the control plane (kubernetes/kubernetes#90217). */
const TIMEOUT = 3;

/**
 * The ValidatingWebhookConfiguration, for manifests, tests and demo alike. `caBundle` is PEM; manifests have none, the
 * webhook puts it in when it starts.
 *
 * Which entry is asked depends on the quarantine label, so that each request is judged once. Nodes, leases and status
 * updates match no rule, and the two entries that fail closed can hurt only what is contained or guards it: an
 * outage of the webhook never stops a cluster. Break-glass members are not held up here, so they act in an outage too.
 */
export function webhookConfiguration(address: Address, caBundle?: string): KubeObject {
  const common = {
    clientConfig: {
      ...('url' in address
        ? { url: `${address.url}/validate` }
        : { service: { port: 443, ...address.service, path: '/validate' } }),
      ...(caBundle && { caBundle: Buffer.from(caBundle).toString('base64') }),
    },
    admissionReviewVersions: ['v1'],
    sideEffects: 'NoneOnDryRun',
    matchPolicy: 'Equivalent',
    timeoutSeconds: TIMEOUT,
  };
  const labelled = { key: LABEL.quarantine, operator: 'Exists' };
  // The API server itself sets this label and lets nobody change it.
  const notIn = (values: readonly string[]) => ({
    key: 'kubernetes.io/metadata.name',
    operator: 'NotIn',
    values,
  });
  const notOurs = notIn([SYSTEM_NAMESPACE]);
  const notProtected = notIn(PROTECTED_NAMESPACES);
  const notLabelled = { key: LABEL.quarantine, operator: 'DoesNotExist' };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: {
      name: CONFIGURATION_NAME,
      labels: { 'app.kubernetes.io/name': 'kubesentry-webhook', 'app.kubernetes.io/part-of': 'kubesentry' },
    },
    webhooks: [
      {
        ...common,
        name: `deploy.${GROUP}`,
        failurePolicy: 'Ignore',
        namespaceSelector: { matchExpressions: [notOurs, notLabelled] },
        rules: JUDGED,
      },
      {
        ...common,
        name: `interactive.${GROUP}`,
        failurePolicy: 'Ignore',
        namespaceSelector: { matchExpressions: [notOurs, notLabelled] },
        rules: [
          {
            operations: ['CONNECT'],
            apiGroups: [''],
            apiVersions: ['v1'],
            resources: ['pods/exec', 'pods/attach', 'pods/portforward'],
            scope: 'Namespaced',
          },
        ],
      },
      {
        ...common,
        // The scheduler's own bindings bring nothing along: no pod waits for us to get onto its node.
        name: `bindings.${GROUP}`,
        failurePolicy: 'Ignore',
        namespaceSelector: { matchExpressions: [notOurs, notLabelled] },
        matchConditions: [BRINGS_TEXT],
        rules: BINDINGS,
      },
      {
        ...common,
        name: `quarantine.${GROUP}`,
        failurePolicy: 'Fail',
        // Whatever somebody writes on them: what a cluster cannot live without never waits for us.
        namespaceSelector: { matchExpressions: [notProtected, labelled] },
        matchConditions: [MAY_NOT_OVERRULE],
        rules: CONTAINED,
      },
      {
        ...common,
        name: `guard-namespaces.${GROUP}`,
        failurePolicy: 'Fail',
        // Held against the old and the new object, so that taking the label away matches as well.
        objectSelector: { matchExpressions: [labelled] },
        matchConditions: [MAY_NOT_OVERRULE, LABEL_CHANGES],
        rules: [
          {
            operations: ['CREATE', 'UPDATE'],
            apiGroups: [''],
            apiVersions: ['v1'],
            // Labels can be written through these subresources as well.
            resources: ['namespaces', 'namespaces/status', 'namespaces/finalize'],
            scope: 'Cluster',
          },
        ],
      },
      {
        ...common,
        name: `guard-records.${GROUP}`,
        failurePolicy: 'Fail',
        matchConditions: [MAY_NOT_OVERRULE, NOT_A_CLEANER],
        rules: [
          {
            operations: ['CREATE', 'UPDATE', 'DELETE'],
            apiGroups: [GROUP],
            apiVersions: ['*'],
            resources: [
              'quarantines',
              'quarantines/status',
              'incidents',
              'incidents/status',
              'denials',
              'denials/status',
            ],
            scope: '*',
          },
        ],
      },
      {
        ...common,
        // A policy that slips through in an outage is not in force, and its status says so.
        name: `policies.${GROUP}`,
        failurePolicy: 'Ignore',
        rules: [
          {
            operations: ['CREATE', 'UPDATE'],
            apiGroups: [GROUP],
            apiVersions: ['*'],
            resources: ['sentrypolicies'],
            scope: 'Namespaced',
          },
        ],
      },
      {
        ...common,
        // Only listens: an incident has to tell who released, approved or dismissed. An outage holds nobody up.
        name: `overrules.${GROUP}`,
        failurePolicy: 'Ignore',
        matchConditions: [MAY_OVERRULE],
        rules: [
          {
            operations: ['CREATE', 'UPDATE', 'DELETE'],
            apiGroups: [GROUP],
            apiVersions: ['*'],
            resources: ['quarantines', 'incidents'],
            scope: '*',
          },
        ],
      },
    ],
  };
}

/** CEL, as both kinds of admission read it: whoever may overrule is not held up. */
export const MAY_NOT_OVERRULE = {
  name: 'may-not-overrule',
  expression: `request.userInfo.username != '${WEBHOOK_USER}' && !('${BREAK_GLASS_GROUP}' in request.userInfo.groups)`,
};

const MAY_OVERRULE = {
  name: 'may-overrule',
  expression: `request.userInfo.username != '${WEBHOOK_USER}' && '${BREAK_GLASS_GROUP}' in request.userInfo.groups`,
};

/** The API server itself adds labels of the node's place (PodTopologyLabels). */
const BRINGS_TEXT = {
  name: 'brings-text',
  expression:
    'object.metadata.?annotations.orValue({}).size() > 0 || ' +
    "object.metadata.?labels.orValue({}).exists(key, !key.startsWith('topology.kubernetes.io/'))",
};

const label = (object: string) =>
  `(${object} != null && has(${object}.metadata.labels) && '${LABEL.quarantine}' in ${object}.metadata.labels ? ` +
  `${object}.metadata.labels['${LABEL.quarantine}'] : '')`;

/** Other changes of a contained namespace, such as its deletion, go on in an outage. */
const LABEL_CHANGES = {
  name: 'label-changes',
  expression: `${label('object')} != ${label('oldObject')}`,
};

/** CEL: who deletes what belonged to something deleted before (requester.ts knows the same). */
export const IS_CLEANER =
  'request.userInfo.username in ' +
  "['system:serviceaccount:kube-system:namespace-controller', 'system:serviceaccount:kube-system:generic-garbage-collector']";

/** A namespace that is deleted takes its Denials along; that must not wait for the webhook. */
const NOT_A_CLEANER = {
  name: 'not-a-cleaner',
  expression: `request.operation != 'DELETE' || !(${IS_CLEANER})`,
};
