import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import type { FixedCertificate } from '../../webhook/certificates.ts';
import { type Answer, openScene, podOf, post, review, type Scene } from './harness.ts';

const HOSTS = ['127.0.0.1', 'localhost'];
let scene: Scene;
let certificates: FixedCertificate;
beforeAll(async () => {
  certificates = await ephemeralCertificate(HOSTS);
  scene = await openScene({ certificates });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function ask(
  session: ClientHttp2Session,
  body: object | string,
): Promise<Pick<Answer, 'status' | 'json'>> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/validate',
    'content-type': 'application/json',
  });
  stream.end(typeof body === 'string' ? body : JSON.stringify(body));
  const [headers] = (await once(stream, 'response')) as [Record<string, number>];
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: headers[':status'] as number, json: JSON.parse(Buffer.concat(chunks).toString()) };
}

describe('HTTP/2', () => {
  it('answers many reviews at once over one connection', async () => {
    const session = connect(scene.webhook.url, { ca: scene.webhook.caBundle });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        ask(session, review(podOf(`web-${index}`, 'shop'), { uid: `uid-${index}` })),
      ),
    );
    expect(answers.map(({ json }) => json.response.uid)).toEqual(answers.map((_, index) => `uid-${index}`));
    session.close();
  });

  it('refuses a review that is too large by its uid', async () => {
    const session = connect(scene.webhook.url, { ca: scene.webhook.caBundle });
    const pod = podOf('big', 'shop');
    pod.metadata.annotations = { padding: 'x'.repeat(9 * 1024 * 1024) };
    const { status, json } = await ask(session, review(pod));
    expect([status, json.response.status.code]).toEqual([200, 413]);
    expect((await ask(session, review(podOf('web', 'shop')))).json.response.allowed).toBe(true);
    session.close();
  });
});

describe('TLS', () => {
  it('refuses TLS 1.1', async () => {
    const { hostname, port } = new URL(scene.webhook.url);
    const socket = connectTls({
      host: hostname,
      port: Number(port),
      ca: scene.webhook.caBundle,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
    });
    const [error] = await once(socket, 'error');
    expect(String(error)).toMatch(/protocol|version|alert/i);
  });

  it('shows a new certificate to new connections, and tells the API server and the agents its CA', async () => {
    const next = (await ephemeralCertificate(HOSTS)).current;
    const before = connect(scene.webhook.url, { ca: scene.webhook.caBundle });
    await once(before, 'connect');
    certificates.replace(next);
    expect(scene.webhook.caBundle).toBe(next.caBundle);
    const { json } = await post(scene.webhook, '/validate', review(podOf('web', 'shop')));
    expect(json.response.allowed).toBe(true);
    // Who is connected already is not cut off.
    expect((await ask(before, review(podOf('web', 'shop')))).json.response.allowed).toBe(true);
    before.close();
  });
});
