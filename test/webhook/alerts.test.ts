import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Severity } from '../../api/finding.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import type { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { Alerts, type AlertsOptions } from '../../webhook/alerts/alerts.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import type { IncidentStatus } from '../../webhook/incident/store.ts';
import { Metrics } from '../../webhook/metrics.ts';
import { startWebhook } from '../../webhook/start.ts';
import { mineIn, runDaemonSet } from './attack.ts';
import { detectionIn } from './detections.ts';
import { eventually, indicators, log, openScene, podOf, type Scene } from './harness.ts';

interface Call {
  path: string;
  authorization: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it.
  body: any;
}

let sink: Server;
let url: string;
let calls: Call[];
let refuse: number;
let scene: Scene;
let controller: DaemonSetController;
beforeEach(async () => {
  calls = [];
  refuse = 0;
  sink = createServer(async (request, response) => {
    const body = JSON.parse(await text(request));
    if (refuse-- > 0) response.statusCode = 503;
    else calls.push({ path: request.url ?? '', authorization: request.headers.authorization, body });
    response.end();
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await controller?.stop();
  await scene?.[Symbol.asyncDispose]();
  sink.close();
});

describe('whoever has to know', () => {
  it('is told of every phase once: Falco, Alertmanager, and the Events of the namespace', async () => {
    scene = await openScene({ alertUrls: { falco: [`${url}/falco`], alertmanager: [url] } });
    const { pod, controller: daemons } = await runDaemonSet(scene);
    controller = daemons;
    const { metadata } = await mineIn(scene, pod);
    const phases = (path: string) => calls.filter((call) => call.path === path);
    await eventually(
      () =>
        phases('/falco').some(({ body }) => body.output_fields['kubesentry.phase'] === 'Contained')
          ? true
          : undefined,
      'the containment in Falco',
    );
    const told = phases('/falco').map(({ body }) => body.output_fields['kubesentry.phase']);
    expect(new Set(told).size).toBe(told.length);
    expect(phases('/falco')[0]?.body).toMatchObject({
      priority: 'Critical',
      rule: 'Kubesentry: pool-protocol',
      source: 'kubesentry',
      // What falcosidekick refuses to be without, and what it shows.
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      output: expect.stringContaining('DaemonSet shop/collector'),
      hostname: 'node-1',
      tags: expect.arrayContaining(['T1496.001']),
      output_fields: {
        'k8s.ns.name': 'shop',
        'k8s.pod.name': pod.metadata.name,
        'kubesentry.incident': metadata.name,
      },
    });
    await eventually(() => phases('/api/v2/alerts')[0], 'an alert in Alertmanager');
    expect(phases('/api/v2/alerts')[0]?.body[0].labels).toEqual({
      alertname: 'KubesentryCryptomining',
      incident: metadata.name,
      namespace: 'shop',
      workload: 'DaemonSet/collector',
      severity: 'critical',
    });
    const event = await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Event, { namespace: 'shop' });
      return items.find(({ reason }) => reason === 'CryptominingContained');
    }, 'the Event');
    expect(event.note).toContain(`kubectl kubesentry incidents ${metadata.name}`);
  });

  it('is told again when it did not answer, and counted as lost in the end', async () => {
    scene = await openScene();
    const { pod, controller: daemons } = await runDaemonSet(scene);
    controller = daemons;
    await mineIn(scene, pod);
    const [incident] = (await scene.cluster.list(KIND.Incident)).items;
    if (!incident) throw new Error('no incident');
    const metrics = new Metrics();
    const outcomes = async () =>
      Object.fromEntries(
        (await metrics.alerts.get()).values
          .filter(({ labels }) => labels.sink === 'falco')
          .map(({ labels, value }) => [labels.outcome, value]),
      );
    const options = { cluster: scene.cluster, metrics, log, clock: () => new Date(), firstRetryMs: 1 };
    refuse = 2;
    const patient = new Alerts({ ...options, falcoUrls: [url] });
    patient.note(incident);
    await eventually(() => calls[0], 'the third try');
    await patient.close();
    expect(await outcomes()).toEqual({ retried: 2, sent: 1 });
    refuse = Number.POSITIVE_INFINITY;
    const hopeless = new Alerts({ ...options, falcoUrls: [url] });
    hopeless.note(incident);
    await eventually(async () => ((await outcomes()).dead === 1 ? true : undefined), 'a dead letter');
    await hopeless.close();
  });

  it('gets credentials of the address as a header, and neither they nor its path get into the log', async () => {
    scene = await openScene();
    const { pod, controller: daemons } = await runDaemonSet(scene);
    controller = daemons;
    await mineIn(scene, pod);
    const [incident] = (await scene.cluster.list(KIND.Incident)).items;
    if (!incident) throw new Error('no incident');
    const lines: string[] = [];
    const alerts = new Alerts({
      cluster: scene.cluster,
      metrics: new Metrics(),
      log: pino({ level: 'debug' }, { write: (line) => void lines.push(line) }),
      clock: () => new Date(),
      firstRetryMs: 1,
      falcoUrls: [
        url.replace('//', '//hook:pa%3Ass@').concat('/services/T0KEN'),
        'http://u:hidden@127.0.0.1:1/T0KEN',
      ],
    });
    alerts.note(incident);
    await eventually(() => calls[0], 'the alert');
    expect(calls[0]).toMatchObject({
      path: '/services/T0KEN',
      authorization: `Basic ${Buffer.from('hook:pa:ss').toString('base64')}`,
    });
    await eventually(() => lines.find((line) => line.includes('could not be delivered')), 'the dead letter');
    await alerts.close();
    expect(lines.join('')).not.toMatch(/T0KEN|pa:ss|pa%3Ass|hidden/);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      msg: expect.stringContaining('DaemonSet shop/collector'),
      incident: incident.metadata.name,
      phase: incident.status?.phase,
      severity: 'critical',
      pods: incident.status?.pods,
    });
  });

  it('does not hold up the end while it waits to try again', async () => {
    scene = await openScene();
    const { pod, controller: daemons } = await runDaemonSet(scene);
    controller = daemons;
    await mineIn(scene, pod);
    const [incident] = (await scene.cluster.list(KIND.Incident)).items;
    if (!incident) throw new Error('no incident');
    refuse = Number.POSITIVE_INFINITY;
    const metrics = new Metrics();
    const options = {
      cluster: scene.cluster,
      metrics,
      log,
      clock: () => new Date(),
      firstRetryMs: 3_600_000,
    };
    const alerts = new Alerts({ ...options, falcoUrls: [url] });
    alerts.note(incident);
    const outcomeOf = async (outcome: string) =>
      (await metrics.alerts.get()).values.find(
        ({ labels }) => labels.sink === 'falco' && labels.outcome === outcome,
      )?.value;
    await eventually(() => outcomeOf('retried'), 'the first try');
    await alerts.close();
    expect(await outcomeOf('dead')).toBe(1);
  });

  it('is told by the next leader what a replica could not get rid of, and an incident says what was taken', async () => {
    refuse = Number.POSITIVE_INFINITY;
    scene = await openScene({ alertUrls: { falco: [url] } });
    const { pod, controller: daemons } = await runDaemonSet(scene);
    controller = daemons;
    const name = (await mineIn(scene, pod)).metadata.name as string;
    const told = async () => {
      const { status } = (await scene.cluster.get(KIND.Incident, { name })) ?? {};
      return status?.conditions?.find(({ type }) => type === 'Told')?.reason;
    };
    await eventually(async () => {
      const { status } = (await scene.cluster.get(KIND.Incident, { name })) ?? {};
      return status?.phase === 'Contained' ? true : undefined;
    }, 'the containment');
    await scene[Symbol.asyncDispose]();
    expect(await told()).toBeUndefined();
    refuse = 0;
    const next = await startWebhook({
      cluster: scene.as('webhook'),
      indicators,
      certificates: await ephemeralCertificate(['127.0.0.1']),
      log,
      register: 'here',
      timeouts: { drain: 0 },
      alertUrls: { falco: [url] },
    });
    await eventually(async () => ((await told()) === 'Contained' ? true : undefined), 'what was taken');
    expect(calls.map(({ body }) => body.output_fields['kubesentry.phase'])).toEqual(['Contained']);
    await next.close();
  });

  it('is told by the leader what nobody has on the way, once, and nothing that was over before', async () => {
    const incident = incidentIn('Contained', 'open');
    const known = [incident, incidentIn('Closed', 'over')];
    const alerts = alertsOf({
      falcoUrls: [url],
      lookMs: 20,
      view: { synced: Promise.resolve([]), incidents: () => known },
      incidents: {
        amend: async (_, change) => {
          incident.status = change(incident.status as IncidentStatus, incident);
          return incident;
        },
      },
    });
    alerts.lead(true);
    await eventually(() => incident.status?.conditions, 'what was taken');
    // Another replica, which dies with it.
    incident.status = { ...(incident.status as IncidentStatus), phase: 'Eradicated' };
    await eventually(() => calls[1], 'the next phase');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await alerts.close();
    expect(calls.map(({ body }) => body.output_fields['kubesentry.phase'])).toEqual([
      'Contained',
      'Eradicated',
    ]);
    expect(incident.status?.conditions).toMatchObject([
      { type: 'Told', status: 'True', reason: 'Eradicated' },
    ]);
  });

  it('hears of one alert whatever is found out meanwhile; a suspicion ends when it gets sure', async () => {
    const alerts = alertsOf({ alertmanagerUrls: [url] });
    const steps = [
      ['Detected', 'low'],
      ['Confirmed', 'critical'],
      ['Contained', 'high'],
      ['Closed', 'medium'],
    ] as const;
    for (const [phase, severity] of steps) {
      alerts.note(incidentIn(phase, 'web', severity));
      await eventually(
        () => calls.find(({ body }) => body[0].annotations.description.includes(phase)),
        phase,
      );
    }
    const now = Date.now();
    const said = calls.map(({ body }) =>
      body.map(({ labels, endsAt }: { labels: { severity: string }; endsAt: string }) => [
        labels.severity,
        Date.parse(endsAt) > now ? 'fires' : 'over',
      ]),
    );
    expect(said).toEqual([
      [['warning', 'fires']],
      [
        ['critical', 'fires'],
        ['warning', 'over'],
      ],
      [
        ['critical', 'fires'],
        ['warning', 'over'],
      ],
      [
        ['critical', 'over'],
        ['warning', 'over'],
      ],
    ]);
    const identities = new Set(calls.flatMap(({ body }) => body.map((each: object) => identity(each))));
    expect(identities.size).toBe(2);
    await alerts.close();
  });
});

const identity = (alert: object) => JSON.stringify((alert as { labels: object }).labels);

function alertsOf(options: Partial<AlertsOptions>): Alerts {
  const cluster = { create: async <T>(_: unknown, object: T) => object };
  return new Alerts({ cluster, metrics: new Metrics(), log, clock: () => new Date(), ...options });
}

function incidentIn(phase: IncidentPhase, workload: string, severity: Severity = 'critical'): Incident {
  const subject = { namespace: 'shop', workload: { kind: 'DaemonSet', name: workload } };
  const seen = [{ detection: detectionIn(podOf('x', 'shop'), { severity }), node: 'node-1', traits: [] }];
  const incident = correlate(undefined, seen, { name: workload, subject, confirmFrom: 0.9 });
  const metadata = { ...incident?.metadata, uid: `uid-${workload}` };
  return { ...incident, metadata, status: { ...incident?.status, phase } } as Incident;
}
