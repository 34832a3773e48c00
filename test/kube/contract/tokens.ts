import { createLocalJWKSet, jwtVerify } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { KIND } from '../../../kube/kind.ts';
import { codeOf, type Scene } from './scene.ts';

export function tokensContract(scene: Scene): void {
  describe('tokens', () => {
    const request = { audience: 'kubesentry', expirationSeconds: 600 };
    let account: { name: string; uid: string };

    beforeEach(async () => {
      const object = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: scene.key('agent') };
      const { metadata } = await scene.cluster.create(KIND.ServiceAccount, object);
      account = { name: 'agent', uid: metadata.uid as string };
    });

    async function claimsOf(token: string) {
      const { issuer, keys } = await scene.cluster.tokenIssuer();
      const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { issuer, audience: 'kubesentry' });
      return payload;
    }

    test("a service account's token has the claims of a real one and verifies with the issuer's keys", async () => {
      const { cluster, namespace } = scene;
      const claims = await claimsOf(await cluster.createToken(scene.key('agent'), request));
      expect(Object.keys(claims).sort()).toEqual(
        ['aud', 'exp', 'iat', 'iss', 'jti', 'kubernetes.io', 'nbf', 'sub'].sort(),
      );
      expect(claims).toMatchObject({ aud: ['kubesentry'], sub: `system:serviceaccount:${namespace}:agent` });
      expect(claims['kubernetes.io']).toEqual({ namespace, serviceaccount: account });
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(600);
    });

    test('a token that is bound to a pod names the pod and its node', async () => {
      const { cluster, namespace } = scene;
      const nodeName = `${namespace}-node`;
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName } };
      const { uid: nodeUid } = (await cluster.create(KIND.Node, node)).metadata;
      const spec = { nodeName, serviceAccountName: 'agent', containers: [{ name: 'c', image: 'i' }] };
      const object = { apiVersion: 'v1', kind: 'Pod', metadata: scene.key('p'), spec };
      const { uid: podUid = '' } = (await cluster.create(KIND.Pod, object)).metadata;
      const pod = { name: 'p', uid: podUid };
      const claims = await claimsOf(await cluster.createToken(scene.key('agent'), { ...request, pod }));
      expect(claims['kubernetes.io']).toEqual({
        namespace,
        serviceaccount: account,
        pod,
        node: { name: nodeName, uid: nodeUid },
      });
      const other = { ...pod, uid: '00000000-0000-4000-8000-000000000000' };
      const refused = cluster.createToken(scene.key('agent'), { ...request, pod: other });
      expect(await codeOf(refused)).toBe('KUBE_CONFLICT');
      await cluster.delete(KIND.Pod, scene.key('p'), { gracePeriodSeconds: 0 });
      await cluster.delete(KIND.Node, { name: nodeName });
    });

    test('of no account is KUBE_NOT_FOUND, for less than ten minutes KUBE_REFUSED', async () => {
      const { cluster } = scene;
      expect(await codeOf(cluster.createToken(scene.key('no'), request))).toBe('KUBE_NOT_FOUND');
      const short = { ...request, expirationSeconds: 60 };
      expect(await codeOf(cluster.createToken(scene.key('agent'), short))).toBe('KUBE_REFUSED');
    });
  });
}
