import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Detection } from '../../api/detection.ts';
import type { Finding } from '../../api/finding.ts';
import { CONCLUSIVE } from '../../api/weight.ts';
import { whyNoKernel } from './arena.ts';
import { BENIGN } from './matrix/benign.ts';
import { EVASIONS } from './matrix/evasions.ts';
import { Stage } from './matrix/stage.ts';

const reason = whyNoKernel();
/** What docs/limits.md names. */
const LIMITS = [
  ...readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8').matchAll(/^\| `([\w-]+)` +\|/gm),
].map(([, limit]) => limit);

/** From this confidence on a workload is contained (SentryPolicy, spec.response.minConfidence). */
const CONTAINS = 0.9;

const findingsOf = ({ evidence }: Detection) => evidence.findings as Finding[];
const rulesOf = (detections: readonly Detection[]) =>
  detections.flatMap((detection) => findingsOf(detection).map(({ rule }) => rule));

describe.skipIf(reason)(`the agent on this kernel${reason ? ` (${reason})` : ''}`, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  for (const [kind, rows] of Object.entries(EVASIONS)) {
    describe.concurrent(`against ${kind}`, () => {
      it.each(rows)('%s', { timeout: 60_000 }, async (_, script, expected) => {
        const { cgroup, output } = await stage.run(script);
        if ('rule' in expected) {
          const found = await stage.detected(cgroup, (one) => rulesOf([one]).includes(expected.rule));
          expect(rulesOf(found ? [found] : stage.about(cgroup)), output).toContain(expected.rule);
        } else {
          await stage.settled();
          expect(rulesOf(stage.about(cgroup)), output).toEqual([]);
          expect(LIMITS).toContain(expected.limit);
        }
      });
    });
  }

  describe.concurrent('about honest work', () => {
    it.each(BENIGN)('does not want to contain %s', { timeout: 60_000 }, async (_, script) => {
      const { cgroup } = await stage.run(script);
      await stage.settled();
      const worst = stage.about(cgroup).filter(({ confidence }) => confidence >= CONTAINS);
      expect(rulesOf(worst)).toEqual([]);
    });
  });

  it('knows every limit that is documented', () => {
    const met = Object.values(EVASIONS).flatMap((rows) =>
      rows.flatMap(([, , expected]) => ('limit' in expected ? [expected.limit] : [])),
    );
    expect(LIMITS.toSorted()).toEqual([...new Set(met)].toSorted());
  });

  it('prints lines that keep the contract', () => {
    expect(stage.lines.length).toBeGreaterThan(50);
    const first = new Map<string, Detection>();
    const last = new Map<string, Detection>();
    for (const line of stage.lines) {
      expect([...Value.Errors(Detection, line)]).toEqual([]);
      const began = first.get(line.id) ?? line;
      const before = last.get(line.id) ?? line;
      expect(line.time).toBe(began.time);
      expect(line.process.pid).toBe(began.process.pid);
      expect(line.container?.cgroup).toBe(began.container?.cgroup);
      expect(line.repeats).toBeGreaterThanOrEqual(before.repeats);
      expect(line.confidence).toBeGreaterThanOrEqual(before.confidence);
      first.set(line.id, began);
      last.set(line.id, line);
    }
    for (const { repeats } of first.values()) expect(repeats).toBe(0);
    const named = [...last.values()].filter(({ rule }) => rule === 'miner-name');
    expect(named.every(({ confidence }) => confidence === CONCLUSIVE / 100)).toBe(true);
    expect(named.every(({ process }) => process.ancestors.length > 0)).toBe(true);
    expect(named.some(({ process }) => process.sha256 !== null)).toBe(true);
  });
});

describe.skipIf(reason)(`an agent that comes late${reason ? ` (${reason})` : ''}`, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open({
      before: `cp $SLEEP xmrig; ./xmrig 30 &
unshare -n sh -c 'ip link set lo up; ip address add 199.247.27.41/32 dev lo; exec python3 -c "$0"' 'import socket, time
listener = socket.socket(); listener.bind(("199.247.27.41", 3333)); listener.listen()
link = socket.create_connection(listener.getsockname()); open("connected", "w"); time.sleep(30)' &
until [ -e connected ]; do sleep 0.1; done
exec 3<>/dev/tcp/127.0.0.1/$POOL_PORT
while sleep 0.3; do echo '{"id":1,"method":"mining.subscribe","params":[]}'; done >&3`,
    });
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  it.each(['miner-name', 'pool-address', 'pool-protocol'])(
    'sees what runs and is connected already: %s',
    async (rule) => {
      expect(await stage.detected(stage.cgroupOf(0), (one) => rulesOf([one]).includes(rule))).toBeDefined();
    },
  );
});

describe.skipIf(reason)(`the agent that acts, on this kernel${reason ? ` (${reason})` : ''}`, () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open({ options: ['--enforce'] });
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  it.each([
    ['kills a listed name', 'cp $PROGRAM xmrig; ./xmrig && echo it ran', ['killed']],
    [
      'kills what has the arguments of a miner',
      'cp $PROGRAM web; ./web compute 5 1 --donate-level=1 -o stratum+tcp://pool.example:3333 && echo it ran',
      ['killed'],
    ],
    [
      'kills what finds the settings of a miner in a file',
      `cp $PROGRAM web; echo '{"pools":[{"url":"pool.example:3333","user":"'$WALLET'"}]}' > c; REST=5 ./web -c c && echo it ran`,
      ['killed'],
    ],
    [
      'drops the pool protocol, and kills who speaks it',
      `$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"id":1,"method":"mining.subscribe","params":[]}'`,
      ['dropped', 'killed'],
    ],
  ])('%s', async (_, script, actions) => {
    const { cgroup, output } = await stage.run(script);
    expect(await stage.detected(cgroup, ({ action }) => actions.includes(action))).toBeDefined();
    expect(output).not.toContain('it ran');
  });
});

describe.skipIf(reason)(`the agent that freezes, on this kernel${reason ? ` (${reason})` : ''}`, () => {
  it('lets a miner stand still until it ends', async () => {
    await using stage = await Stage.open({ options: ['--enforce', '--freeze'] });
    const running = stage.run('cp $SLEEP xmrig; ./xmrig 0.5; ./xmrig 0.5; echo it went on');
    const cgroup = stage.cgroupOf(0);
    expect(await stage.detected(cgroup, ({ action }) => action === 'frozen')).toBeDefined();
    await stage.endAgent();
    expect((await running).output).toContain('it went on');
  });
});
