import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { LABEL, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { Policy } from '../../webhook/admission/policy.ts';
import { IncidentStore } from '../../webhook/incident/store.ts';
import type { Placed } from '../../webhook/intake/detections.ts';
import { Journal } from '../../webhook/intake/journal.ts';
import { Volumes } from '../../webhook/intake/volumes.ts';
import { Metrics } from '../../webhook/metrics.ts';
import { PodIndex } from '../../webhook/pod-index.ts';
import { detectionIn, idOf } from './detections.ts';
import { eventually, log, podOf } from './harness.ts';

let cluster: MemoryCluster;
/** While it is set the API server takes no Incident. */
let held: Promise<void> | undefined;
const journals: Journal[] = [];

/** The journal of one replica. */
function replica(adoptMs?: number): Journal {
  const slow = new Proxy(cluster, {
    get: (target, name) =>
      name === 'create'
        ? async (kind: { kind: string }, ...rest: unknown[]) => {
            if (kind.kind === 'Incident') await held;
            return target.create(kind as never, ...(rest as [never]));
          }
        : Reflect.get(target, name).bind?.(target),
  });
  const incidents = new IncidentStore({
    cluster: slow,
    policy: () => new Policy([]),
    clock: () => new Date(),
    log,
  });
  const journal = new Journal({
    incidents,
    volumes: new Volumes(cluster),
    view: { pods: new PodIndex() },
    metrics: new Metrics(),
    log,
    patienceMs: 1,
    adoptMs,
  });
  journals.push(journal);
  return journal;
}

const told = (...names: string[]): Placed[] =>
  names.map((name) => ({
    detection: detectionIn(podOf('web', 'shop'), { id: idOf(name), confidence: 0.4, container: null }),
    node: 'node-1',
    pod: undefined,
  }));

const volumes = async () =>
  (await cluster.list(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, labelSelector: LABEL.journal })).items;
const kept = async () =>
  (await cluster.list(KIND.Incident)).items.flatMap(({ status }) => status?.detections.map(({ id }) => id));
const none = async () => ((await volumes()).length === 0 ? true : undefined);

beforeEach(async () => {
  cluster = new MemoryCluster();
  const metadata = { name: SYSTEM_NAMESPACE };
  await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
  held = undefined;
});
afterEach(() => {
  for (const journal of journals.splice(0)) journal.close();
});

describe('the journal', () => {
  it('is not needed while incidents are written at once', async () => {
    expect(await replica().keep(told('a'), 100)).toEqual([idOf('a')]);
    expect(await kept()).toEqual([idOf('a')]);
    expect(await volumes()).toEqual([]);
  });

  it('acknowledges what incidents are too slow for once it is written, and forgets it when they have it', async () => {
    const gate = Promise.withResolvers<void>();
    held = gate.promise;
    const journal = replica();
    const answers = await Promise.all([journal.keep(told('a', 'b'), 100), journal.keep(told('c'), 100)]);
    expect(answers).toEqual([[idOf('a'), idOf('b')], [idOf('c')]]);
    expect(await kept()).toEqual([]);
    expect((await volumes()).length).toBeGreaterThan(0);
    gate.resolve();
    await eventually(none, 'no volume left');
    expect((await kept()).sort()).toEqual(['a', 'b', 'c'].map(idOf).sort());
  });

  it('acknowledges nothing that neither it nor an incident has', async () => {
    const gate = Promise.withResolvers<void>();
    held = gate.promise;
    const { create } = MemoryCluster.prototype;
    MemoryCluster.prototype.create = async () => {
      throw new KubesentryError('KUBE_UNREACHABLE', 'down');
    };
    try {
      const answer = replica().keep(told('a'), 100);
      gate.resolve();
      expect(await answer).toEqual([]);
    } finally {
      MemoryCluster.prototype.create = create;
    }
  });

  it('of a replica that is gone is put into its incidents by the leader', async () => {
    held = new Promise(() => {});
    const gone = replica();
    await gone.keep(told('a', 'b'), 100);
    gone.close();
    held = undefined;
    replica(5).lead(true);
    await eventually(none, 'no volume left');
    expect((await kept()).sort()).toEqual(['a', 'b'].map(idOf).sort());
  });

  it('turns reports away while more waits than it may hold', async () => {
    const gate = Promise.withResolvers<void>();
    held = gate.promise;
    const journal = replica();
    const answers: Promise<string[]>[] = [];
    const fill = async () => {
      for (let number = 0; number < 100; number++) {
        answers.push(journal.keep(told(`${number}`), 700_000));
        await answers.at(-1);
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(answers.length).toBeGreaterThan(40);
    gate.resolve();
    await eventually(none, 'no volume left');
    expect(await journal.keep(told('later'), 700_000)).toEqual([idOf('later')]);
  });
});
