import { beforeEach, describe, expect, it } from 'vitest';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import { expireIncidents } from '../../webhook/incident/retention.ts';
import { incidentName } from '../../webhook/incident/subject.ts';
import { startWebhook } from '../../webhook/start.ts';
import { mineIn, runDaemonSet } from './attack.ts';
import { detectionIn } from './detections.ts';
import { eventually, indicators, log, openScene, podOf } from './harness.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 60 * 60_000;
const SYSTEM = { namespace: 'kubesentry-system' };

let cluster: MemoryCluster;
let began: number;
beforeEach(() => {
  cluster = new MemoryCluster();
  began = Date.now();
});

const later = (ms: number) => new Date(began + ms);

/** Of one workload, in that phase; something was added to it last `touched` milliseconds from now. */
async function incident(
  workload: string,
  phase: IncidentPhase,
  { touched = 0, round = 1, namespace = 'shop', quarantine = '' } = {},
): Promise<string> {
  const subject = { namespace, workload: { kind: 'DaemonSet', name: workload } };
  const name = incidentName(subject, round);
  const detection = detectionIn(podOf('x', namespace), { time: later(touched).toISOString() });
  const seen = [{ detection, node: 'node-1', traits: [] }];
  const { status, ...fresh } = correlate(undefined, seen, { name, subject, confirmFrom: 0.9 }) as Incident;
  const { metadata } = await cluster.create(KIND.Incident, fresh);
  const more = { phase, ...(quarantine && { quarantine }) };
  const whole = { ...fresh, metadata, status: { ...status, ...more } as NonNullable<Incident['status']> };
  await cluster.update(KIND.Incident, whole, { subresource: 'status' });
  return name;
}

const names = async () =>
  (await cluster.list(KIND.Incident)).items.map(({ metadata }) => metadata.name as string).sort();

describe('an incident that is over', () => {
  it('is deleted thirty days after anything was added to it', async () => {
    await incident('old', 'Closed');
    await incident('benchmark', 'Dismissed');
    await incident('suspicion', 'Detected');
    const fresh = await incident('new', 'Closed', { touched: 2 * DAY_MS });
    expect(await expireIncidents(cluster, { now: later(29 * DAY_MS) })).toEqual({ age: 0, room: 0 });
    expect(await expireIncidents(cluster, { now: later(31 * DAY_MS) })).toEqual({ age: 3, room: 0 });
    expect(await names()).toEqual([fresh]);
    expect(await expireIncidents(cluster, { now: later(10 * DAY_MS), days: 7 })).toEqual({ age: 1, room: 0 });
  });

  it('is not deleted while it waits for people, or a Quarantine speaks of it', async () => {
    for (const phase of ['Confirmed', 'Contained', 'Eradicated'] as const) await incident(phase, phase);
    const asked = await incident('asked', 'Closed');
    await incident('shared', 'Closed', { quarantine: 'q' });
    const spec = { namespace: 'shop', reason: 'x', requestedBy: 'x', bans: [] };
    const quarantine = { apiVersion: 'kubesentry.io/v1alpha1', kind: 'Quarantine' } as const;
    await cluster.create(KIND.Quarantine, {
      ...quarantine,
      metadata: { name: 'q' },
      spec: { ...spec, incident: asked },
    });
    const now = later(365 * DAY_MS);
    expect(await expireIncidents(cluster, { now, perNamespace: 0, inAll: 0 })).toEqual({ age: 0, room: 0 });
    await cluster.delete(KIND.Quarantine, { name: 'q' });
    expect(await expireIncidents(cluster, { now })).toEqual({ age: 2, room: 0 });
  });

  it('is what is confirmed as well where nothing is ever contained, so that a cluster that only looks is not filled', async () => {
    for (const job of ['one', 'two', 'three']) await incident(job, 'Confirmed');
    const held = await incident('held', 'Contained');
    const asked = await incident('asked', 'Confirmed', { touched: -DAY_MS });
    const waiting = await cluster.get(KIND.Incident, { name: asked });
    const steps = [
      {
        step: 'terminate' as const,
        state: 'AwaitingApproval' as const,
        message: 'x',
        evidence: [],
        time: later(0).toISOString(),
      },
    ];
    await cluster.update(KIND.Incident, { ...waiting, status: { ...waiting?.status, steps } } as Incident, {
      subresource: 'status',
    });
    const now = later(2 * HOUR_MS);
    expect(await expireIncidents(cluster, { now, perNamespace: 2 })).toEqual({ age: 0, room: 0 });
    expect(await expireIncidents(cluster, { now, perNamespace: 2, isOnlyWatched: true })).toEqual({
      age: 0,
      room: 1,
    });
    const inAMonth = { now: later(31 * DAY_MS), isOnlyWatched: true };
    expect(await expireIncidents(cluster, inAMonth)).toEqual({ age: 2, room: 0 });
    expect(await names()).toEqual([asked, held].sort());
  });

  it('is not deleted before a later one of its workload, or the next attack would be two incidents', async () => {
    await incident('web', 'Closed');
    await incident('web', 'Contained', { round: 2, touched: DAY_MS });
    expect(await expireIncidents(cluster, { now: later(60 * DAY_MS) })).toEqual({ age: 0, room: 0 });
    expect(await names()).toHaveLength(2);
  });

  it('of a storm goes when there are newer ones, but not in the hour in which agents may still speak of it', async () => {
    const made: string[] = [];
    for (let minute = 0; minute < 6; minute++) {
      made.push(await incident(`storm-${minute}`, 'Closed', { touched: minute * 60_000 }));
    }
    const other = await incident('other', 'Closed', { namespace: 'billing' });
    const bounds = { perNamespace: 2, inAll: 10 };
    expect(await expireIncidents(cluster, { now: later(HOUR_MS / 2), ...bounds })).toEqual({
      age: 0,
      room: 0,
    });
    expect(await expireIncidents(cluster, { now: later(2 * HOUR_MS), ...bounds })).toEqual({
      age: 0,
      room: 4,
    });
    expect(await names()).toEqual([other, ...made.slice(-2)].sort());
    const less = { perNamespace: 2, inAll: 2 };
    expect(await expireIncidents(cluster, { now: later(2 * HOUR_MS), ...less })).toEqual({ age: 0, room: 1 });
    expect(await names()).toEqual(made.slice(-2));
  });

  it('stays when somebody changes it at that moment', async () => {
    const name = await incident('web', 'Detected');
    const busy = new Proxy(cluster, {
      get: (target, property) => {
        if (property !== 'delete') return Reflect.get(target, property).bind?.(target);
        return async (...args: Parameters<MemoryCluster['delete']>) => {
          await cluster.patch(KIND.Incident, { name }, { spec: { dismissed: 'no' } });
          return target.delete(...args);
        };
      },
    });
    expect(await expireIncidents(busy, { now: later(31 * DAY_MS) })).toEqual({ age: 0, room: 0 });
    expect(await names()).toEqual([name]);
  });
});

describe('the leader', () => {
  it('deletes an old incident with its report and its evidence, and counts it', async () => {
    const scene = await openScene();
    const all = scene.cluster;
    const { pod, controller } = await runDaemonSet(scene);
    const name = (await mineIn(scene, pod)).metadata.name as string;
    await scene.as('breakGlass').patch(KIND.Incident, { name }, { spec: { approvals: ['terminate'] } });
    const kept = [
      [KIND.ConfigMap, `${name}-report`],
      [KIND.Secret, `${name}-evidence`],
    ] as const;
    const find = () => Promise.all(kept.map(([kind, each]) => all.get(kind, { ...SYSTEM, name: each })));
    await eventually(async () => ((await find()).every(Boolean) ? true : undefined), 'report and evidence');
    await scene.as('breakGlass').delete(KIND.Quarantine, { name });
    await eventually(async () => {
      const { status } = (await all.get(KIND.Incident, { name })) ?? {};
      return status?.phase === 'Closed' ? true : undefined;
    }, 'the end');
    await controller.stop();
    await scene[Symbol.asyncDispose]();

    // Whoever leads next looks at once for what is old.
    const next = await startWebhook({
      cluster: scene.as('webhook'),
      indicators,
      certificates: await ephemeralCertificate(['127.0.0.1']),
      log,
      register: 'here',
      timeouts: { drain: 0 },
      clock: () => later(31 * DAY_MS),
    });
    await eventually(
      async () => ((await all.get(KIND.Incident, { name })) === undefined ? true : undefined),
      'the deletion',
    );
    expect(await find()).toEqual([undefined, undefined]);
    const counted = await eventually(async () => {
      const text = await (await fetch(`${next.probeUrl}/metrics`)).text();
      return text
        .split('\n')
        .find((line) => line.startsWith('kubesentry_records_expired_total{kind="incident",reason="age"}'));
    }, 'the metric');
    expect(counted).toMatch(/ 1$/);
    await next.close();
  });
});
