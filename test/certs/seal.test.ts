import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { API_VERSION } from '../../api/names.ts';
import type { Report } from '../../api/report.ts';
import { canonical, parseUnambiguous } from '../../certs/canonical.ts';
import { seal, verifySeal } from '../../certs/seal.ts';
import { ensureSigningKey, reportKeys } from '../../certs/signing-key.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';

const SECRET = { namespace: 'kubesentry-system', name: 'kubesentry-report-key' };
const YEAR_MS = 366 * 24 * 60 * 60_000;

const REPORT: Report = {
  generated: '2026-06-01T12:00:00.000Z',
  incident: {
    apiVersion: API_VERSION,
    kind: 'Incident',
    metadata: { name: 'shop-web-1a2b3c' },
    spec: { namespace: 'shop', workload: { kind: 'Deployment', name: 'wéb "1" \u202e' } },
  },
  denials: [],
};

describe('canonical JSON', () => {
  test('is that of the example of RFC 8785', () => {
    const example = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonical(example)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('is the same for the same value, however it was written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 4 }), (value, space) => {
        const again: unknown = JSON.parse(JSON.stringify(value, null, space));
        expect(canonical(again)).toBe(canonical(JSON.parse(JSON.stringify(value))));
        expect(parseUnambiguous(JSON.stringify(value, null, space))).toEqual(again);
      }),
    );
  });

  test('is not made of what readers understand differently', () => {
    expect(() => parseUnambiguous('{"a": 1, "b": {"a": 2, "a": 3}}')).toThrow('is there twice');
    expect(() => parseUnambiguous('{"phase": "Closed", "\\u0070hase": "Contained"}')).toThrow(
      'is there twice',
    );
    expect(() => parseUnambiguous('{')).toThrow('It is not JSON');
    expect(parseUnambiguous('{"a": "\\":", "b": [{"a": 1}]}')).toEqual({ a: '":', b: [{ a: 1 }] });
  });
});

describe('a signed report', () => {
  let cluster: MemoryCluster;
  beforeEach(async () => {
    cluster = new MemoryCluster();
    await cluster.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: SECRET.namespace },
    });
  });
  const keyAt = (now: number) => ensureSigningKey(cluster, SECRET.namespace, () => now);
  const keys = () => reportKeys(cluster, SECRET.namespace);

  test('is known as it was signed, also formatted anew', async () => {
    const key = await keyAt(0);
    const signed = await seal(REPORT, key);
    for (const space of [0, 2, '\t']) {
      const text = JSON.stringify(signed, null, space);
      expect(await verifySeal(parseUnambiguous(text), await keys())).toEqual({
        report: REPORT,
        keyId: key.id,
      });
    }
  });

  test('is refused when one byte of what it says is another', async () => {
    const text = JSON.stringify(await seal(REPORT, await keyAt(0)));
    const known = await keys();
    for (let at = 0; at < text.length; at++) {
      const changed = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
      await expect(Promise.try(() => verifySeal(parseUnambiguous(changed), known))).rejects.toMatchObject({
        code: expect.stringMatching(/^(REPORT_FORGED|REPORT_UNSIGNED|BODY_NOT_JSON)$/),
      });
    }
  });

  test('is refused when somebody else signed it, or nobody', async () => {
    const other = new MemoryCluster();
    await other.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: SECRET.namespace },
    });
    const foreign = await seal(REPORT, await ensureSigningKey(other, SECRET.namespace));
    await keyAt(0);
    await expect(verifySeal(foreign, await keys())).rejects.toThrow(
      'none of the keys of this cluster signed it',
    );
    await expect(verifySeal(REPORT, await keys())).rejects.toMatchObject({ code: 'REPORT_UNSIGNED' });
    await expect(verifySeal(null, await keys())).rejects.toMatchObject({ code: 'REPORT_UNSIGNED' });
    const none = { ...foreign, signature: { ...foreign.signature, protected: btoa('{"alg":"none"}') } };
    await expect(verifySeal(none, await keys())).rejects.toMatchObject({ code: 'REPORT_FORGED' });
  });

  test('stays good when the key is renewed, after a year or because its Secret is gone', async () => {
    const first = await seal(REPORT, await keyAt(0));
    const renewed = await keyAt(YEAR_MS);
    await cluster.delete(KIND.Secret, SECRET);
    const again = await keyAt(YEAR_MS);
    const known = await keys();
    expect(new Set(known.keys.map(({ kid }) => kid)).size).toBe(3);
    expect(again.id).not.toBe(renewed.id);
    expect((await keyAt(YEAR_MS + 1)).id).toBe(again.id);
    for (const signed of [first, await seal(REPORT, renewed), await seal(REPORT, again)]) {
      await expect(verifySeal(signed, known)).resolves.toMatchObject({ report: REPORT });
    }
  });

  test('is signed with one key by replicas that start at the same time', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => keyAt(0)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect((await keys()).keys).toHaveLength(1);
  });

  test('never shows the private key', async () => {
    await keyAt(0);
    expect(JSON.stringify(await keys())).not.toContain('"d"');
  });
});
