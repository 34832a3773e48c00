import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import { TokenVerifier } from '../../webhook/intake/tokens.ts';
import { report } from './detections.ts';
import { agentToken, openScene, type Scene } from './harness.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

describe('who may report', () => {
  it('the agent of the node', async () => {
    const { status, json } = await report(scene, 'node-1', []);
    expect([status, json]).toEqual([200, { acknowledged: [], rejected: [] }]);
  });

  it.each([
    ['nobody', '', 401, 'TOKEN_MISSING'],
    ['another scheme', 'Basic YTpi', 401, 'TOKEN_MISSING'],
    ['no token', 'Bearer x.y.z', 401, 'TOKEN_INVALID'],
    ['a giant', `Bearer ${'a'.repeat(9_000)}`, 401, 'TOKEN_INVALID'],
    ['an unsigned token', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.', 401, 'TOKEN_INVALID'],
  ])('not %s', async (_, authorization, status, code) => {
    const answer = await report(scene, 'node-1', [], authorization);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.json.remedy).not.toBe('');
  });

  it('not another service account', async () => {
    const token = await agentToken(scene.cluster, 'node-1', 'other');
    const { status, json } = await report(scene, 'node-1', [], `Bearer ${token}`);
    expect([status, json.code]).toEqual([403, 'NOT_THE_AGENT']);
  });

  it('not the agent of another node', async () => {
    const token = await agentToken(scene.cluster, 'node-1');
    const { status, json } = await report(scene, 'node-2', [], `Bearer ${token}`);
    expect([status, json.code]).toEqual([403, 'NOT_YOUR_NODE']);
    expect(json.message).toContain('node-1');
  });

  it('not with a token for somebody else', async () => {
    const name = 'kubesentry-agent-node-1';
    const pod = await scene.cluster.get(KIND.Pod, { name, namespace: 'kubesentry-system' });
    const token = await scene.cluster.createToken(
      { name: 'kubesentry-agent', namespace: 'kubesentry-system' },
      { audience: 'vault', expirationSeconds: 600, pod: { name, uid: pod?.metadata.uid ?? '' } },
    );
    const { status, json } = await report(scene, 'node-1', [], `Bearer ${token}`);
    expect([status, json.code]).toEqual([401, 'TOKEN_INVALID']);
    expect(json.message).toContain('aud');
  });
});

describe('the keys of the API server', () => {
  const makeKey = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    return { jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' }, privateKey, kid };
  };
  type Key = Awaited<ReturnType<typeof makeKey>>;
  const sign = ({ privateKey, kid }: Key, now: number, claims: Record<string, unknown> = {}) =>
    new SignJWT({ 'kubernetes.io': { node: { name: 'node-1' }, pod: { uid: 'p' } }, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer('https://issuer')
      .setAudience('kubesentry')
      .setSubject('system:serviceaccount:kubesentry-system:kubesentry-agent')
      .setExpirationTime(now / 1000 + 600)
      .sign(privateKey);

  it('are asked for again when a token has an unknown one, at most every half minute', async () => {
    const [first, second] = [await makeKey('1'), await makeKey('2')];
    let keys = [first.jwk];
    let asked = 0;
    let now = Date.now();
    const verifier = new TokenVerifier({
      issuer: async () => {
        asked++;
        return { issuer: 'https://issuer', keys: { keys } };
      },
      clock: () => new Date(now),
    });
    const use = async (key: Key) => verifier.verify(`Bearer ${await sign(key, now)}`);
    expect(await use(first)).toEqual({ node: 'node-1', podUid: 'p' });
    expect(await use(first)).toEqual({ node: 'node-1', podUid: 'p' });
    expect(asked).toBe(1);
    keys = [first.jwk, second.jwk];
    await expect(use(second)).rejects.toMatchObject({ code: 'TOKEN_INVALID' });
    expect(asked).toBe(1);
    now += 31_000;
    expect(await use(second)).toEqual({ node: 'node-1', podUid: 'p' });
    expect(asked).toBe(2);
  });

  it('are held against a token that was taken before, until it expires or its key is withdrawn', async () => {
    const [first, second] = [await makeKey('1'), await makeKey('2')];
    let keys = [first.jwk];
    let now = Date.now();
    const verifier = new TokenVerifier({
      issuer: async () => ({ issuer: 'https://issuer', keys: { keys } }),
      clock: () => new Date(now),
    });
    const token = `Bearer ${await sign(first, now)}`;
    await verifier.verify(token);
    now += 599_000;
    await expect(verifier.verify(token)).resolves.toEqual({ node: 'node-1', podUid: 'p' });
    now += 100_000;
    await expect(verifier.verify(token)).rejects.toThrow('it has expired');
    const another = `Bearer ${await sign(first, now)}`;
    await verifier.verify(another);
    keys = [second.jwk];
    await verifier.verify(`Bearer ${await sign(second, now)}`);
    await expect(verifier.verify(another)).rejects.toThrow('no key of the API server signed it');
  });

  it('do not help a token that has expired or says another issuer', async () => {
    const key = await makeKey('1');
    const now = Date.now();
    const at = (time: number, issuer = 'https://issuer') =>
      new TokenVerifier({
        issuer: async () => ({ issuer, keys: { keys: [key.jwk] } }),
        clock: () => new Date(time),
      });
    const token = `Bearer ${await sign(key, now)}`;
    await expect(at(now + 700_000).verify(token)).rejects.toThrow('it has expired');
    await expect(at(now, 'https://other').verify(token)).rejects.toThrow('its claim iss');
  });

  it('take a token that was just made where the clock here is a minute behind, not where it is an hour', async () => {
    const key = await makeKey('1');
    const now = Date.now();
    const at = (time: number) =>
      new TokenVerifier({
        issuer: async () => ({ issuer: 'https://issuer', keys: { keys: [key.jwk] } }),
        clock: () => new Date(time),
      });
    const token = `Bearer ${await sign(key, now, { nbf: Math.floor(now / 1000) })}`;
    await expect(at(now - 60_000).verify(token)).resolves.toMatchObject({ node: 'node-1' });
    await expect(at(now - 3_600_000).verify(token)).rejects.toThrow('its claim nbf');
  });
});

describe('a token without a node claim (before Kubernetes 1.30)', () => {
  it('is held against the pod that it is bound to', async () => {
    await scene.cluster.delete(KIND.Node, { name: 'node-2' });
    const token = await agentToken(scene.cluster, 'node-2');
    expect((await report(scene, 'node-2', [], `Bearer ${token}`)).status).toBe(200);
    expect((await report(scene, 'node-1', [], `Bearer ${token}`)).json.code).toBe('NOT_YOUR_NODE');
  });
});
