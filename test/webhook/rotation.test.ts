import { Agent } from 'node:https';
import { expect, test } from 'vitest';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';
import { type Certificates, nextCertificates } from '../../certs/renewal.ts';
import { KIND } from '../../kube/kind.ts';
import { FixedCertificate, type ServingCertificate } from '../../webhook/certificates.ts';
import { startWebhook } from '../../webhook/start.ts';
import { indicators, log, openScene, podOf, post, review } from './harness.ts';

const HOSTS = ['127.0.0.1'];
const DAY_MS = 86_400_000;

/** Old enough for the next renewal, and still valid, so that real TLS has nothing to say against it. */
const OLD_SERVING_MS = 65 * DAY_MS;
const OLD_AUTHORITY_MS = 3_500 * DAY_MS;

const shown = ({ caBundle, serving }: Certificates): ServingCertificate => ({
  cert: serving.certificate,
  key: serving.key,
  caBundle,
});

/** What the leader finds when it looks weeks later: the same authority, and what it signed near its end. */
async function aged(current: Certificates): Promise<Certificates> {
  const serving = await issueServingPair(current.authority, HOSTS, Date.now() - OLD_SERVING_MS);
  return { ...current, serving };
}

/** As they are when the authority's ten years are nearly over. */
async function nearTheEnd(): Promise<Certificates> {
  const authority = await makeAuthority(Date.now() - OLD_AUTHORITY_MS);
  return { authority, caBundle: authority.certificate, serving: await issueServingPair(authority, HOSTS) };
}

test('ten rotations under load cost no request, on either of two replicas', async () => {
  let certificates = await nearTheEnd();
  const sources = [new FixedCertificate(shown(certificates)), new FixedCertificate(shown(certificates))];
  const [first, second] = sources as [FixedCertificate, FixedCertificate];
  await using scene = await openScene({ certificates: first, identity: 'first' });
  const other = await startWebhook({
    cluster: scene.as('webhook'),
    indicators,
    certificates: second,
    log,
    identity: 'second',
    timeouts: { drain: 0 },
  });
  await other.ready;
  const published = async () => {
    const key = { name: CA_CONFIG_MAP, namespace: SYSTEM_NAMESPACE };
    const { data } = (await scene.cluster.get(KIND.ConfigMap, key)) as unknown as {
      data: { 'ca.crt': string };
    };
    return data['ca.crt'];
  };

  const body = review(podOf('web', 'shop'));
  const failures: unknown[] = [];
  let answered = 0;
  let isOver = false;
  /** A client as the API server is one: it trusts what is published when it connects. */
  const load = async (url: string, keepAlive: boolean) => {
    let agent = new Agent({ keepAlive });
    for (let sent = 0; !isOver; sent++) {
      if (!keepAlive || sent % 50 === 0) agent = new Agent({ keepAlive });
      const caBundle = await published();
      try {
        const { status } = await post({ url, caBundle }, '/validate', body, { agent });
        if (status === 200) answered++;
        else failures.push(status);
      } catch (error) {
        failures.push(error);
      }
      if (!keepAlive) agent.destroy();
    }
    agent.destroy();
  };
  const clients = [scene.webhook.url, other.url].flatMap((url) => [load(url, true), load(url, false)]);
  const answers = (more: number) => {
    const until = answered + more;
    return expect.poll(() => answered + failures.length, { timeout: 10_000 }).toBeGreaterThan(until);
  };

  const serving = new Set<string>();
  const bundles = new Set<string>();
  for (let rotation = 0; rotation < 10; rotation++) {
    // The authority first: it is trusted from then on, and signs from the next rotation on.
    const before = rotation === 0 ? certificates : await aged(certificates);
    certificates = (await nextCertificates(before, HOSTS, Date.now())).certificates;
    serving.add(certificates.serving.certificate);
    bundles.add(certificates.caBundle);
    first.replace(shown(certificates));
    await answers(20);
    // The other replica hears of it a moment later.
    second.replace(shown(certificates));
    await answers(20);
  }
  isOver = true;
  await Promise.all(clients);
  await other.close();
  expect(failures).toEqual([]);
  expect({ serving: serving.size, bundles: bundles.size }).toEqual({ serving: 10, bundles: 1 });
  expect(answered).toBeGreaterThan(400);
}, 60_000);
