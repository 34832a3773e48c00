import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';
import { checkAuthority, checkServingPair, type KeyPair, validAuthorities } from '../../certs/pair.ts';

const DAY_MS = 86_400_000;

describe('judging certificates', () => {
  const now = Date.now();
  let authority: KeyPair;
  let other: KeyPair;
  let pair: KeyPair;

  beforeAll(async () => {
    [authority, other] = [await makeAuthority(), await makeAuthority()];
    pair = await issueServingPair(authority, ['a.svc', '10.0.0.1', '::1']);
  });

  const check = (changed: Partial<KeyPair>, hosts = ['a.svc'], at = now, bundle = authority.certificate) => {
    const judge = () => checkServingPair(bundle, { ...pair, ...changed }, hosts, at);
    return expect(judge);
  };

  test('a good pair ends when its certificate does', () => {
    const end = checkServingPair(authority.certificate, pair, ['a.svc', '10.0.0.1', '::1'], now);
    expect(end.getTime() - now).toBeGreaterThan(89 * DAY_MS);
  });

  test('any authority of the bundle will do', () => {
    check({}, ['a.svc'], now, `${other.certificate}\n${authority.certificate}`).not.toThrow();
  });

  test('each defect has its own reason', () => {
    check({}, ['a.svc'], now, other.certificate).toThrow('signed by another authority');
    check({}, ['a.svc', 'b.svc', '10.0.0.2']).toThrow('lacks the names b.svc, 10.0.0.2');
    check({}, ['a.svc'], now + 91 * DAY_MS).toThrow('expired at');
    check({}, ['a.svc'], now - DAY_MS).toThrow('not valid before');
    check({ certificate: 'junk' }).toThrow('is no certificate');
    check({ key: other.key }).toThrow('has another private key');
    check({ key: 'junk' }).toThrow('has another private key');
  });

  test('an authority has to be one, with its own key, and alive', () => {
    expect(() => checkAuthority(authority, now)).not.toThrow();
    expect(() => checkAuthority(pair, now)).toThrow('may not sign others');
    expect(() => checkAuthority({ ...authority, key: other.key }, now)).toThrow('has another private key');
    expect(() => checkAuthority(authority, now + 3651 * DAY_MS)).toThrow('expired at');
  });

  test('of a bundle counts what is valid', () => {
    const junk = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const bundle = `${junk}${authority.certificate}${pair.certificate}\n${other.certificate}`;
    expect(validAuthorities(bundle, now)).toHaveLength(2);
    expect(validAuthorities(bundle, now + 3651 * DAY_MS)).toEqual([]);
  });

  test('whatever the text is, it is judged with CERTIFICATE_INVALID', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.nat(), (text, from, length) => {
        const { certificate } = pair;
        const start = from % certificate.length;
        const damaged = certificate.slice(0, start) + text + certificate.slice(start + 1 + (length % 80));
        for (const bundle of [damaged, authority.certificate]) {
          try {
            checkServingPair(bundle, { ...pair, certificate: damaged }, ['a.svc'], now);
          } catch (error) {
            expect(error instanceof KubesentryError && error.code).toBe('CERTIFICATE_INVALID');
          }
        }
      }),
    );
  });
});
