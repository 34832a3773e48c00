import { randomUUID } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { groupVersion } from '../kind.ts';
import type { AdmissionRequest, Webhook } from './admission-request.ts';

/** The response of an AdmissionReview. */
export interface WebhookAnswer {
  uid: string;
  allowed: boolean;
  status?: { message?: string; code?: number };
  warnings?: string[];
}

/** What a webhook may answer at most; an API server takes 3 MiB too (rest client limits of apiserver). */
const MAX_ANSWER_BYTES = 3 * 1024 * 1024;

/** Sends an admission.k8s.io/v1 AdmissionReview. Raises an Error with a reason for people when there is no answer. */
export async function callWebhook(webhook: Webhook, request: AdmissionRequest): Promise<WebhookAnswer> {
  const review = toReview(request);
  const answer = await post(webhook, JSON.stringify(review));
  const { response } = JSON.parse(answer) as { response?: WebhookAnswer };
  if (response?.uid !== review.request.uid) throw new Error('the answer has another uid');
  return response;
}

function toReview({ kind, operation, key, subresource, object, oldObject, user, dryRun }: AdmissionRequest) {
  const isConnect = operation === 'CONNECT';
  const of = groupVersion(kind);
  const asked = isConnect
    ? { group: '', version: 'v1', kind: `Pod${capital(subresource ?? '')}Options` }
    : { ...of, kind: kind.kind };
  const resource = { ...of, resource: kind.plural };
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind: asked,
      resource,
      requestKind: asked,
      requestResource: resource,
      ...(subresource && { subResource: subresource, requestSubResource: subresource }),
      ...(key.name && { name: key.name }),
      ...(key.namespace && { namespace: key.namespace }),
      operation,
      userInfo: user,
      object: isConnect ? { apiVersion: 'v1', kind: asked.kind, ...object } : (object ?? null),
      oldObject: oldObject ?? null,
      dryRun,
      options: null,
    },
  };
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

function post({ clientConfig, timeoutSeconds = 10 }: Webhook, body: string): Promise<string> {
  const { url, caBundle } = clientConfig;
  if (!url) throw new Error('the in-memory cluster reaches webhooks by clientConfig.url only');
  const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(deadline.aborted ? new Error('context deadline exceeded') : error);
    const outgoing = httpsRequest(
      url,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        signal: deadline,
        ...(caBundle && { ca: Buffer.from(caBundle, 'base64') }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) outgoing.destroy(new Error('the answer is too large'));
          chunks.push(chunk);
        });
        incoming.on('error', fail);
        incoming.on('end', () => {
          if (incoming.statusCode === 200) resolve(Buffer.concat(chunks).toString());
          else fail(new Error(`status ${incoming.statusCode}`));
        });
      },
    );
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}
