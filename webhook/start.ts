import { KubesentryError } from '../api/errors.ts';
import type { Quarantine } from '../api/quarantine.ts';
import type { Indicators } from '../detection/indicators.ts';
import type { Cluster } from '../kube/cluster.ts';
import { DenialRecorder } from './admission/denials.ts';
import { Reviewer } from './admission/reviewer.ts';
import { Alerts } from './alerts/alerts.ts';
import { AuditCorrelator } from './audit/correlator.ts';
import { AuditIntake } from './audit/intake.ts';
import type { FactStore } from './audit/store.ts';
import { BackgroundScan } from './background/scan.ts';
import type { CertificateSource } from './certificates.ts';
import type { Address } from './configuration.ts';
import { noteDenial } from './incident/note-denial.ts';
import { noteOverrule } from './incident/note-overrule.ts';
import { IncidentStore } from './incident/store.ts';
import { Intake } from './intake/detections.ts';
import { EgressReports } from './intake/egress-reports.ts';
import { Journal } from './intake/journal.ts';
import { NodeBook } from './intake/node-book.ts';
import { TokenVerifier } from './intake/tokens.ts';
import { Volumes } from './intake/volumes.ts';
import { Leadership } from './leadership.ts';
import type { Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { openProbeServer } from './probes.ts';
import { Publisher } from './publisher.ts';
import { Sealer } from './report/sealer.ts';
import { ResponseLoop } from './response/loop.ts';
import { type Handler, makeServer, TIMEOUTS, type Timeouts } from './server.ts';
import { Tracer, type TraceTarget } from './trace.ts';
import { tracedRoutes } from './traced-routes.ts';
import { ClusterView } from './view.ts';

export interface WebhookOptions {
  /** As the service account of the webhook. */
  cluster: Cluster;
  indicators: Indicators;
  certificates: CertificateSource;
  log: Log;
  /** Of the server; 127.0.0.1 and any free port by default. */
  host?: string | undefined;
  port?: number | undefined;
  /** Of the probes and metrics, plain HTTP on the same host; any free port by default. */
  probePort?: number | undefined;
  /**
   * How the API server is told to reach the webhook: by an address, by the one that it listens on (`here`), or not at
   * all when undefined, because manifests do it.
   */
  register?: Address | 'here' | undefined;
  /** Tells replicas apart; the host name, which is the pod's, by default. */
  identity?: string | undefined;
  /** How long a leader that has vanished is waited for; 15 by default. */
  leaseSeconds?: number | undefined;
  /** How long incidents that are over are kept; 30 by default. */
  incidentDays?: number | undefined;
  /** Service account of the agents. */
  agent?: string | undefined;
  timeouts?: Partial<Timeouts> | undefined;
  /** History of audit facts; without one incidents are not attributed. It is the caller's to close. */
  facts?: FactStore | undefined;
  /** With `facts`: the token that the API server's audit webhook sends. Without one, /audit is not served. */
  auditToken?: (() => Promise<string>) | undefined;
  /** Whom to tell about incidents beside the Kubernetes Events. */
  alertUrls?: { falco?: readonly string[]; alertmanager?: readonly string[] } | undefined;
  /** A collector of traces. */
  trace?: TraceTarget | undefined;
  /** Further POST paths. */
  routes?: Readonly<Record<string, Handler>> | undefined;
  clock?: (() => Date) | undefined;
}

export interface RunningWebhook {
  /** Of the server, such as https://127.0.0.1:8443. */
  readonly url: string;
  readonly probeUrl: string;
  /** PEM; what clients trust. */
  readonly caBundle: string;
  /** Resolves once /readyz answers 200 and whoever asks was told whom to trust. */
  readonly ready: Promise<void>;
  /** Resolves when every Denial so far is in the API server, or lost. */
  denialsKept(): Promise<void>;
  /** Drains and stops; see Timeouts. */
  close(): Promise<void>;
}

/** Starts everything that one replica of the webhook is. */
export async function startWebhook(options: WebhookOptions): Promise<RunningWebhook> {
  const { cluster, certificates, log, host = '127.0.0.1', clock = () => new Date() } = options;
  const metrics = new Metrics();
  const tracer = options.trace && new Tracer(options.trace, { log, metrics });
  const view = new ClusterView({
    cluster,
    indicators: options.indicators,
    onError: (error) => log.warn({ err: error }, 'a watch failed and is tried again'),
  });
  const incidents: IncidentStore = new IncidentStore({
    cluster,
    policy: () => view.policy,
    clock,
    log,
    known: (name) => view.incidentNamed(name),
    onChange: (incident) => {
      view.noteIncident(incident);
      alerts.note(incident);
      void response.containAtOnce(incident);
      audit?.noteIncident(incident);
    },
  });
  const alerts: Alerts = new Alerts({
    cluster,
    falcoUrls: options.alertUrls?.falco ?? [],
    alertmanagerUrls: options.alertUrls?.alertmanager ?? [],
    incidents,
    view,
    metrics,
    log,
    clock,
  });
  const recorder = new DenialRecorder({
    cluster,
    clock,
    metrics,
    log,
    onCreated: (denial) => void noteDenial(incidents, denial, log),
  });
  const response: ResponseLoop = new ResponseLoop({
    cluster,
    incidents,
    view,
    metrics,
    log,
    clock,
    noteQuarantine: (quarantine) => view.noteQuarantine(quarantine),
    tracer,
  });
  const audit: AuditCorrelator | undefined =
    options.facts &&
    new AuditCorrelator({ cluster, facts: options.facts, incidents, view, metrics, log, clock });
  void audit
    ?.learn()
    .catch((error: unknown) => log.warn({ err: error }, 'the history of audit facts could not be read'));
  const auditIntake: AuditIntake | undefined =
    options.facts &&
    options.auditToken &&
    new AuditIntake({
      facts: options.facts,
      token: options.auditToken,
      metrics,
      log,
      clock,
      onFacts: (facts) => audit?.noteFacts(facts),
    });
  const reviewer = new Reviewer({
    view,
    recorder,
    metrics,
    log,
    clock,
    onOverrule: (overrule) => void noteOverrule(incidents, overrule, clock(), log),
  });
  const tokens = new TokenVerifier({ issuer: () => cluster.tokenIssuer(), clock, agent: options.agent });
  const journal = new Journal({ incidents, volumes: new Volumes(cluster), view, metrics, log });
  const noteQuarantine = (quarantine: Quarantine) => view.noteQuarantine(quarantine);
  const egress = new EgressReports({ cluster, quarantines: view.quarantines, noteQuarantine, log });
  const nodes = new NodeBook({ cluster, clock, log });
  nodes.start();
  const intake = new Intake({ tokens, view, journal, egress, nodes, metrics, log });

  const routes: Readonly<Record<string, Handler>> = {
    '/validate': ({ body, arrived }) => {
      mustBeSynced(view);
      return { status: 200, body: reviewer.review(body, arrived) };
    },
    '/v1/detections': async ({ body, headers }) => {
      mustBeSynced(view);
      return { status: 200, body: await intake.report(body, headers.authorization) };
    },
    ...(auditIntake && {
      '/audit': async ({ body, headers }) => ({
        status: 200,
        body: await auditIntake.receive(body, headers),
      }),
    }),
    ...options.routes,
  };
  const server = makeServer(tracedRoutes(routes, tracer), certificates.current, log, {
    ...TIMEOUTS,
    ...options.timeouts,
  });
  const url = await server.listen(host, options.port ?? 0);
  let draining = false;
  const probes = await openProbeServer({
    host,
    port: options.probePort ?? 0,
    missing: () => [
      ...unsynced(view).map((name) => `watch of ${name}`),
      ...(draining ? ['shutting down'] : []),
    ],
    metrics: () => metrics.scrape(view, certificates.current),
    contentType: metrics.registry.contentType,
  });
  const address = options.register === 'here' ? { url } : options.register;
  const unlisten = certificates.onChange((certificate) => server.replaceCertificate(certificate));
  const publisher = new Publisher({ cluster, certificates, address, metrics, log });
  const ready = view.synced.then(() => publisher.start());
  const background = new BackgroundScan({ cluster, view, incidents, metrics, log, clock });
  const sealer = new Sealer({ cluster, view, metrics, log, clock });
  const leadership = new Leadership({
    cluster,
    parts: [response, background, sealer, journal, certificates, publisher, alerts],
    metrics,
    log,
    clock,
    identity: options.identity,
    leaseSeconds: options.leaseSeconds,
    incidentDays: options.incidentDays,
    isOnlyWatched: () => view.policy.containFrom === undefined,
  });
  log.info({ url, probes: probes.url }, 'listening');

  return {
    url,
    probeUrl: probes.url,
    get caBundle() {
      return certificates.current.caBundle;
    },
    ready,
    denialsKept: () => recorder.settled(),
    async close() {
      draining = true;
      unlisten();
      await server.close();
      await leadership.stop();
      await publisher.close();
      await background.close();
      await sealer.close();
      journal.close();
      await nodes.close();
      await auditIntake?.close();
      await audit?.close();
      await response.close();
      await recorder.close();
      await alerts.close();
      await view.close();
      await tracer?.close();
      await probes.close();
    },
  };
}

function unsynced(view: ClusterView): string[] {
  return view.watches.filter(({ synced }) => !synced).map(({ name }) => name);
}

/** An error here lets the failurePolicy decide, which is what it is for. */
function mustBeSynced(view: ClusterView): void {
  const names = unsynced(view);
  if (names.length === 0) return;
  throw new KubesentryError('NOT_READY', `The first list of these is not complete: ${names.join(', ')}.`);
}
