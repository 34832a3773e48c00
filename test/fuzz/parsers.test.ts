import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { resourcesOf } from '../../cli/resources.ts';
import { parseAddressRange } from '../../detection/address-ranges.ts';
import { readArguments } from '../../detection/arguments.ts';
import { judgeDockerfile } from '../../detection/dockerfile.ts';
import { Docket } from '../../detection/docket.ts';
import { parseEndpoint } from '../../detection/endpoint.ts';
import { parseImage } from '../../detection/image.ts';
import { judgeExecRequest, judgeObject } from '../../detection/judge.ts';
import { judgeMinerConfig } from '../../detection/miner-config.ts';
import { minerWordScore, nameByPattern, nameIn } from '../../detection/names.ts';
import { judgeProcess } from '../../detection/process.ts';
import { decodeBase32, decodeBase64, decodeHex, inflate } from '../../detection/shell/decode.ts';
import { unescapeAnsi } from '../../detection/shell/escapes.ts';
import { Machine } from '../../detection/shell/machine.ts';
import { fold, tokens } from '../../detection/text.ts';
import { judgeUserData } from '../../detection/user-data.ts';
import { findWallets, walletOf } from '../../detection/wallet/wallet.ts';
import { eventsInEnvelope } from '../../webhook/audit/envelope.ts';
import { readEvent } from '../../webhook/audit/event.ts';
import { BTC, ETH, KASPA, XMR, XMR_SUB } from '../corpus/wallets.ts';
import { indicators } from '../webhook/harness.ts';
import { change, changeText, tokenText } from './mutate.ts';
import { runs, TIMEOUT } from './runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubesentry-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

const wallets = [XMR, XMR_SUB, BTC, ETH, KASPA];
const seeds = [
  'registry.example.com:5000/team/app:1.2@sha256:0',
  'stratum+tcp://user.w@[2001:db8::1]:3333/path?q#f',
  'set -e; for p in a:1 b:2; do ./k -o $p -u "$W" | tee /tmp/l; done',
  'echo ZWNobw== | base64 -d | sh <<< "$(cat <(curl -s http://a/b))"',
  '{"pools":[{"url":"a.b:3333","user":"x","pass":"x"}],"donate-level":1}',
  'import os;os.system(bytes.fromhex("6c73").decode())',
  '#cloud-config\nruncmd:\n- [sh, -c, "ls"]\nwrite_files:\n- {path: /etc/cron.d/x, content: "* * * * * root ls"}\n',
  'FROM alpine AS a\nENV A=b C="d e"\nRUN --mount=type=cache a \\\n  && b <<EOF\nx\nEOF\nENTRYPOINT ["a", "b"]\n',
  '10.0.0.0/8:443',
  ...wallets,
];
const text = fc.oneof(
  tokenText,
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([seed, changes]) => changes.reduce(changeText, seed)),
);

/** One property a parser; each gets its share of the runs. */
function never(name: string, share: number, run: (text: string) => void): void {
  test(`${name} never throws`, () => fc.assert(fc.property(text, run), { numRuns: runs(share) }), TIMEOUT);
}

const machine = () => new Machine(new Docket(indicators));

never('the shell machine', 0.1, (script) => {
  const docket = new Docket(indicators);
  new Machine(docket).runScript(script, 'script');
  for (const { score, path } of docket.findings) {
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(100);
    expect(path.length).toBeLessThanOrEqual(512);
  }
});
never('the reader of user data and build files', 0.05, (given) => {
  judgeUserData(given, 'userData', machine());
  judgeDockerfile(given, 'dockerfile', machine());
});
never('the reader of miner configurations', 0.03, (given) =>
  judgeMinerConfig(given, 'data', new Docket(indicators)),
);
never('the reader of ConfigMaps and Secrets', 0.04, (value) => {
  const data = { [value.slice(0, 8)]: value, 'run.sh': value, 'x.py': value, Dockerfile: value };
  for (const kind of ['ConfigMap', 'Secret']) judgeObject({ kind, data, binaryData: data }, { indicators });
});
never('the reader of images and endpoints', 0.02, (given) => {
  parseImage(given);
  parseEndpoint(given);
  parseAddressRange(given);
});
never('the reader of names', 0.02, (given) => {
  nameIn(given, indicators);
  nameByPattern(given, indicators);
  minerWordScore(given);
  tokens(fold(given));
});
never('the reader of command lines', 0.04, (given) => {
  const argv = given.split(' ');
  readArguments(
    argv.map((word) => ({ text: word, path: 'argv' })),
    indicators,
  );
  judgeExecRequest({ command: argv }, { indicators });
  judgeProcess({ exe: given, argv, comm: given.slice(0, 15) }, { indicators });
});
never('the decoders', 0.03, (given) => {
  decodeBase64(given);
  decodeBase32(given);
  decodeHex(given);
  inflate(given);
  unescapeAnsi(given);
});
never('the expansion of variables', 0.03, (given) => {
  const env = ['A', 'B', 'C'].map((name) => ({ name, value: given }));
  const containers = [
    { name: 'x', image: 'x', env, command: ['sh', '-c', given], args: ['$(A)$(B)', '$(C)'] },
  ];
  judgeObject({ kind: 'Pod', spec: { containers } }, { indicators });
});
never('the reader of manifests', 0.02, (given) => {
  const file = join(folder, 'x.yaml');
  writeFileSync(file, given);
  const { errors } = resourcesOf(file);
  for (const error of errors) expect(error).toBeInstanceOf(KubesentryError);
});

const json = fc.jsonValue({ maxDepth: 4 });
const event = fc.record(
  {
    auditID: fc.oneof(fc.uuid(), json),
    kind: fc.constantFrom<unknown>('Event', 'EventList', 7),
    stage: fc.constantFrom<unknown>('ResponseComplete', 'RequestReceived', null),
    verb: fc.oneof(fc.constantFrom('create', 'get'), json),
    user: fc.oneof(fc.record({ username: fc.string(), groups: json }), json),
    objectRef: fc.oneof(
      fc.record({
        resource: fc.constantFrom('pods', 'nodes'),
        subresource: fc.constantFrom('exec', 'proxy'),
        name: fc.string(),
      }),
      json,
    ),
    requestURI: fc.oneof(text, json),
    sourceIPs: json,
    responseStatus: json,
    requestObject: json,
    responseObject: json,
    annotations: json,
    requestReceivedTimestamp: fc.oneof(fc.constant('2026-01-01T00:00:00Z'), json),
    protoPayload: json,
    message: fc.oneof(fc.string(), json),
  },
  { requiredKeys: [] },
);
test(
  'the reader of audit events never throws',
  () => {
    fc.assert(
      fc.property(fc.oneof(event, json), (value) => {
        for (const each of eventsInEnvelope(value)) readEvent(each);
        readEvent(value);
      }),
      { numRuns: runs(0.03) },
    );
  },
  TIMEOUT,
);

test(
  'a wallet with one letter changed is none, and text around one changes nothing',
  () => {
    fc.assert(
      fc.property(
        fc.constantFrom(XMR, XMR_SUB, BTC, KASPA),
        fc.nat(200),
        fc.constantFrom(...'2345ABcdxyz'),
        (wallet, at, letter) => {
          const place = wallet.indexOf(':') + 1 + (at % (wallet.length - wallet.indexOf(':') - 1));
          const wrong = wallet.slice(0, place) + letter + wallet.slice(place + 1);
          if (wrong !== wallet) expect(walletOf(wrong)?.address).not.toBe(wrong);
          expect(findWallets(`pay ${wallet}, thanks`).map(({ address }) => address)).toContain(wallet);
        },
      ),
      { numRuns: runs(0.03) },
    );
  },
  TIMEOUT,
);
