import { randomUUID } from 'node:crypto';
import { request } from 'node:https';
import { KubesentryError } from '../../api/errors.ts';
import type { ObjectKey } from '../cluster.ts';
import type { ResourceName } from '../kind.ts';
import { type LabelSelector, matchesSelector } from '../selector.ts';
import type { AnyObject } from './storage.ts';

export interface User {
  username: string;
  groups: string[];
}

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** A request that admission has to agree to. */
export interface AdmissionRequest {
  operation: Operation;
  kind: ResourceName;
  key: ObjectKey;
  subresource?: string | undefined;
  object?: object | undefined;
  oldObject?: object | undefined;
  user: User;
  dryRun: boolean;
  /** Labels of the namespace that the object is in, or of the namespace object itself. */
  namespaceLabels: Record<string, string> | undefined;
}

interface Webhook {
  name: string;
  clientConfig: { url?: string; caBundle?: string };
  rules?: {
    operations: string[];
    apiGroups: string[];
    apiVersions: string[];
    resources: string[];
    scope?: 'Cluster' | 'Namespaced' | '*';
  }[];
  failurePolicy?: 'Fail' | 'Ignore';
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  timeoutSeconds?: number;
}

interface AdmissionResponse {
  uid: string;
  allowed: boolean;
  status?: { message?: string; code?: number };
  warnings?: string[];
}

/**
 * Asks every matching webhook of the stored ValidatingWebhookConfigurations over HTTPS, as an API server does
 * (apiserver pkg/admission/plugin/webhook/validating). Answers the warnings; raises KUBE_REFUSED with the API
 * server's wording when one says no, or cannot be asked and is registered to fail. matchConditions are not evaluated.
 */
export async function admit(
  configurations: readonly AnyObject[],
  request: AdmissionRequest,
): Promise<string[]> {
  const webhooks = configurations
    .flatMap(({ webhooks = [] }) => webhooks as Webhook[])
    .filter((webhook) => applies(webhook, request));
  const answers = await Promise.all(webhooks.map((webhook) => ask(webhook, request)));
  return answers.flat();
}

function applies(
  { rules = [], namespaceSelector, objectSelector }: Webhook,
  request: AdmissionRequest,
): boolean {
  const { kind, subresource, operation, namespaceLabels, object, oldObject } = request;
  const [group, version] = kind.apiVersion.includes('/') ? kind.apiVersion.split('/') : ['', kind.apiVersion];
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
      has(rule.apiGroups, group ?? '') &&
      has(rule.apiVersions, version ?? '') &&
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

async function ask(webhook: Webhook, request: AdmissionRequest): Promise<string[]> {
  const review = toReview(request);
  let response: AdmissionResponse;
  try {
    response = await post(webhook, review);
    if (response?.uid !== review.request.uid) throw new Error('the answer has another uid');
  } catch (error) {
    if (webhook.failurePolicy === 'Ignore') return [];
    const reason = error instanceof Error ? error.message : String(error);
    throw new KubesentryError('KUBE_REFUSED', `failed calling webhook "${webhook.name}": ${reason}`, {
      cause: error,
    });
  }
  if (!response.allowed) {
    const message = response.status?.message ?? 'without explanation';
    throw new KubesentryError(
      'KUBE_REFUSED',
      `admission webhook "${webhook.name}" denied the request: ${message}`,
    );
  }
  return response.warnings ?? [];
}

function toReview({ kind, operation, key, subresource, object, oldObject, user, dryRun }: AdmissionRequest) {
  const [group, version] = kind.apiVersion.includes('/') ? kind.apiVersion.split('/') : ['', kind.apiVersion];
  const gvk = { group, version, kind: kind.kind };
  const gvr = { group, version, resource: kind.plural };
  const body =
    operation === 'CONNECT'
      ? { apiVersion: 'v1', kind: `Pod${capital(subresource ?? '')}Options`, ...object }
      : object;
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind:
        operation === 'CONNECT' ? { group: '', version: 'v1', kind: (body as { kind: string }).kind } : gvk,
      resource: gvr,
      requestKind: gvk,
      requestResource: gvr,
      ...(subresource && { subResource: subresource, requestSubResource: subresource }),
      ...(key.name && { name: key.name }),
      ...(key.namespace && { namespace: key.namespace }),
      operation,
      userInfo: user,
      object: body ?? null,
      oldObject: oldObject ?? null,
      dryRun,
      options: null,
    },
  };
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

function post(webhook: Webhook, review: object): Promise<AdmissionResponse> {
  const { clientConfig, timeoutSeconds = 10 } = webhook;
  if (!clientConfig.url) throw new Error('the in-memory cluster reaches webhooks by clientConfig.url only');
  const body = JSON.stringify(review);
  return new Promise((resolve, reject) => {
    const req = request(
      clientConfig.url as string,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        timeout: timeoutSeconds * 1000,
        ...(clientConfig.caBundle && { ca: Buffer.from(clientConfig.caBundle, 'base64') }),
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          try {
            if (res.statusCode !== 200) throw new Error(`status ${res.statusCode}`);
            resolve(
              (JSON.parse(Buffer.concat(chunks).toString()) as { response: AdmissionResponse }).response,
            );
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    req.on('timeout', () => req.destroy(new Error('context deadline exceeded')));
    req.on('error', reject);
    req.end(body);
  });
}
