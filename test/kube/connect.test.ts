import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';
import type { KeyPair } from '../../certs/pair.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';

describe('connecting', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-connect-'));
  let authority: KeyPair;
  let server: Server;
  let url: string;
  /** What the last request came with. */
  let seen: { headers: NodeJS.Dict<string | string[]>; subject: string | undefined };

  beforeAll(async () => {
    authority = await makeAuthority();
    const pair = await issueServingPair(authority, ['127.0.0.1']);
    const options = { key: pair.key, cert: pair.certificate, requestCert: true, rejectUnauthorized: false };
    server = createServer(options, (req, res) => {
      const { subject } = (req.socket as TLSSocket).getPeerCertificate();
      seen = { headers: req.headers, subject: subject?.CN as string | undefined };
      res.end('{"metadata":{}}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  let count = 0;
  function kubeconfig(user: object, cluster: object = {}): string {
    const ca = Buffer.from(authority.certificate).toString('base64');
    const file = join(folder, `config-${count++}`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority-data': ca, ...cluster } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  async function ask(file: string): Promise<typeof seen> {
    const cluster = await connectCluster({ kubeconfig: file });
    onTestFinished(() => cluster.close());
    await cluster.get(KIND.Node, { name: 'n' });
    return seen;
  }

  const plugin = (status: object) => ({
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-p', `JSON.stringify(${JSON.stringify({ status })})`],
      interactiveMode: 'Never',
    },
  });

  test('with a token', async () => {
    expect((await ask(kubeconfig({ token: 't' }))).headers.authorization).toBe('Bearer t');
  });

  test('with a token from a file', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, 'from-file');
    const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile: file } } };
    expect((await ask(kubeconfig(user))).headers.authorization).toBe('Bearer from-file');
  });

  test('with a client certificate', async () => {
    const { certificate, key } = await issueServingPair(authority, ['client']);
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
    expect((await ask(kubeconfig(user))).subject).toBe('kubesentry-webhook');
  });

  test('with what an exec plugin answers: a token, or a client certificate', async () => {
    expect((await ask(kubeconfig(plugin({ token: 'p' })))).headers.authorization).toBe('Bearer p');
    const { certificate, key } = await issueServingPair(authority, ['client']);
    const status = { clientCertificateData: certificate, clientKeyData: key };
    expect((await ask(kubeconfig(plugin(status)))).subject).toBe('kubesentry-webhook');
  });

  test('as somebody else', async () => {
    const { headers } = await ask(kubeconfig({ token: 't', as: 'alice' }));
    expect(headers['impersonate-user']).toBe('alice');
  });

  test('not to a server of another authority', async () => {
    const other = Buffer.from((await makeAuthority()).certificate).toString('base64');
    await expect(ask(kubeconfig({}, { 'certificate-authority-data': other }))).rejects.toMatchObject({
      code: 'KUBE_UNREACHABLE',
    });
  });

  test('a plugin that fails is KUBE_UNREACHABLE', async () => {
    const user = { exec: { ...plugin({}).exec, args: ['-e', 'process.exit(3)'] } };
    await expect(ask(kubeconfig(user))).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });

  test.each([
    ['no such file', () => ({ kubeconfig: join(folder, 'absent') }), 'The kubeconfig cannot be used'],
    ['no such context', () => ({ kubeconfig: kubeconfig({}), context: 'y' }), 'has no context "y"'],
    [
      'a proxy',
      () => ({ kubeconfig: kubeconfig({}, { 'proxy-url': 'http://127.0.0.1:1' }) }),
      'The proxy-url of cluster "c" is not supported',
    ],
  ])('%s is said so', async (_what, options, message) => {
    await expect(connectCluster(options())).rejects.toMatchObject({
      code: 'KUBE_UNREACHABLE',
      message: expect.stringContaining(message),
    });
  });
});
