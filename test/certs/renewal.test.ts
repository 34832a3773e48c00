import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkServingPair, splitBundle } from '../../certs/pair.ts';
import { type Certificates, nextCertificates } from '../../certs/renewal.ts';

const HOSTS = ['localhost'];
const DAY_MS = 86_400_000;

async function following(certificates: Certificates | undefined, now: number): Promise<Certificates> {
  return (await nextCertificates(certificates, HOSTS, now)).certificates;
}

/** All that changes in `days`, looked at every day, and when. */
async function history(days: number, start: number): Promise<{ at: number; certificates: Certificates }[]> {
  let current = await following(undefined, start);
  const all = [{ at: start, certificates: current }];
  for (let at = start; at < start + days * DAY_MS; at += DAY_MS) {
    const next = await following(current, at);
    if (next !== current) all.push({ at, certificates: next });
    current = next;
  }
  return all;
}

describe('renewing certificates', () => {
  let server: Server;
  beforeEach(async () => {
    server = createServer((socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => server.close());

  /** Whether a TLS client that trusts `ca` accepts a server with that pair. */
  async function isAccepted(ca: string, { key, certificate }: Certificates['serving']): Promise<boolean> {
    server.setSecureContext({ key, cert: certificate });
    const { port } = server.address() as AddressInfo;
    const client = connect({ host: '127.0.0.1', port, servername: 'localhost', ca });
    return new Promise((resolve) => {
      client.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
      client.once('close', () => client.destroy());
      client.resume();
    });
  }

  test('in a year only the serving certificate changes, every 60 days', async () => {
    const all = await history(365, Date.now());
    expect(new Set(all.map(({ certificates }) => certificates.caBundle)).size).toBe(1);
    expect(all.length).toBe(1 + Math.floor(365 / 60));
  });

  test('clients trust an authority before they meet it, and the old one until nothing of it is left', async () => {
    // As if the authority had been made long ago: what it signs is valid now, so that real TLS can judge it.
    const lifeOfAuthority = 3650 * DAY_MS;
    const start = Date.now() - lifeOfAuthority + 181 * DAY_MS;
    const before = await following(await following(undefined, start), Date.now());
    const between = await following(before, Date.now() + 2 * DAY_MS);
    expect(await following(between, Date.now() + 3 * DAY_MS)).toBe(between);
    expect(between.caBundle).toBe(between.authority.certificate + before.authority.certificate);
    expect(between.serving).toEqual(before.serving);
    for (const [client, serving] of [
      [before, before],
      [before, between],
      [between, before],
      [between, between],
    ] as const) {
      expect(await isAccepted(client.caBundle, serving.serving)).toBe(true);
    }
  });

  test('over twenty years who trusts one step accepts the one before and the one after', async () => {
    const all = await history(7300, Date.now());
    expect(new Set(all.map(({ certificates }) => certificates.authority.certificate)).size).toBe(3);
    for (const [i, { at, certificates: next }] of all.entries()) {
      expect(splitBundle(next.caBundle).length).toBeLessThanOrEqual(2);
      const last = all[i - 1]?.certificates;
      if (!last) continue;
      checkServingPair(last.caBundle, next.serving, HOSTS, at);
      checkServingPair(next.caBundle, last.serving, HOSTS, at);
    }
  });

  test('a broken authority does not cost a good serving certificate', async () => {
    const good = await following(undefined, Date.now());
    const broken = { ...good, authority: { ...good.authority, key: 'junk' } };
    const { certificates, reason } = await nextCertificates(broken, HOSTS, Date.now());
    expect(reason).toBe('The authority has another private key.');
    expect(certificates.serving).toEqual(good.serving);
    expect(await isAccepted(certificates.caBundle, good.serving)).toBe(true);
  });

  test('a serving certificate of no use is replaced at once', async () => {
    const good = await following(undefined, Date.now());
    const { certificates, reason } = await nextCertificates(good, ['localhost', 'other'], Date.now());
    expect(reason).toContain('lacks the names other');
    expect(certificates.authority).toEqual(good.authority);
    expect(await isAccepted(good.caBundle, certificates.serving)).toBe(true);
  });
});
