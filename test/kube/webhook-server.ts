import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { KubeObject } from '../../api/object.ts';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';

export interface Review {
  uid: string;
  operation: string;
  name?: string;
  dryRun: boolean;
  kind: { kind: string };
  subResource?: string;
  userInfo: { username: string; groups: string[] };
  object: KubeObject | null;
  oldObject: KubeObject | null;
}

export interface WebhookServer {
  url: string;
  /** base64 of the PEM, as a webhook configuration has it. */
  caBundle: string;
  reviews: Review[];
  close(): Promise<void>;
}

/** A webhook over TLS that answers what `judge` says; undefined means never. */
export async function startWebhookServer(
  judge: (review: Review) => object | undefined | Promise<object | undefined>,
): Promise<WebhookServer> {
  const authority = await makeAuthority();
  const pair = await issueServingPair(authority, ['127.0.0.1']);
  const reviews: Review[] = [];
  const server = createServer({ key: pair.key, cert: pair.certificate }, async (req, res) => {
    const { request } = JSON.parse(await text(req)) as { request: Review };
    reviews.push(request);
    const verdict = await judge(request);
    if (!verdict) return;
    const response = { uid: request.uid, ...verdict };
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/validate`,
    caBundle: Buffer.from(authority.certificate).toString('base64'),
    reviews,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
