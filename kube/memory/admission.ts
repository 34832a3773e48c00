import { KubesentryError } from '../../api/errors.ts';
import { groupVersion } from '../kind.ts';
import { matchesSelector } from '../selector.ts';
import type { AdmissionRequest, Webhook } from './admission-request.ts';
import type { AnyObject } from './storage.ts';
import { callWebhook, type WebhookAnswer } from './webhook-call.ts';

export interface AdmissionListener {
  onWarning(warning: string): void;
  /** The webhook could not be asked, and the request went on without it. */
  onFailedOpen(webhook: string, reason: string): void;
}

/**
 * Asks every matching webhook of the stored ValidatingWebhookConfigurations at the same time, as an API server does
 * (apiserver pkg/admission/plugin/webhook/validating). Raises KUBE_REFUSED with the API server's wording when one says
 * no, or cannot be asked and is registered to fail. matchConditions are not evaluated; matchPolicy has nothing to
 * decide, because every kind has one version here.
 */
export async function admit(
  configurations: readonly AnyObject[],
  request: AdmissionRequest,
  listener: AdmissionListener,
): Promise<void> {
  const webhooks = configurations
    .flatMap(({ webhooks = [] }) => webhooks as Webhook[])
    .filter((webhook) => applies(webhook, request));
  await Promise.all(webhooks.map((webhook) => ask(webhook, request, listener)));
}

async function ask(webhook: Webhook, request: AdmissionRequest, listener: AdmissionListener): Promise<void> {
  let answer: WebhookAnswer;
  try {
    answer = await callWebhook(webhook, request);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (webhook.failurePolicy === 'Ignore') return listener.onFailedOpen(webhook.name, reason);
    throw new KubesentryError('KUBE_REFUSED', `failed calling webhook "${webhook.name}": ${reason}`, {
      cause,
    });
  }
  for (const warning of answer.warnings ?? []) listener.onWarning(warning);
  if (answer.allowed) return;
  const why = answer.status?.message ? `: ${answer.status.message}` : ' without explanation';
  throw new KubesentryError('KUBE_REFUSED', `admission webhook "${webhook.name}" denied the request${why}`);
}

function applies(
  { rules = [], namespaceSelector, objectSelector }: Webhook,
  request: AdmissionRequest,
): boolean {
  const { kind, subresource, operation, namespaceLabels, object, oldObject } = request;
  const { group, version } = groupVersion(kind);
  const resource = subresource ? `${kind.plural}/${subresource}` : kind.plural;
  const has = (list: string[], value: string) => list.includes('*') || list.includes(value);
  const matchesResource = (pattern: string) =>
    pattern === resource ||
    pattern === '*/*' ||
    (pattern === '*' && !subresource) ||
    pattern === `${kind.plural}/*` ||
    (subresource !== undefined && pattern === `*/${subresource}`);
  const inRules = rules.some(
    (rule) =>
      has(rule.operations, operation) &&
      has(rule.apiGroups, group) &&
      has(rule.apiVersions, version) &&
      rule.resources.some(matchesResource) &&
      (!rule.scope || rule.scope === '*' || (rule.scope === 'Namespaced') === kind.namespaced),
  );
  if (!inRules) return false;
  // Cluster-scoped objects other than namespaces have no namespace to select by.
  if (namespaceLabels && !matchesSelector(namespaceSelector, namespaceLabels)) return false;
  if (!objectSelector) return true;
  return [object, oldObject].some(
    (each) => each && matchesSelector(objectSelector, (each as AnyObject).metadata?.labels),
  );
}
