import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { collectProcessMetrics } from '../api/process-metrics.ts';
import type { FamilyState } from '../bpf/programs.ts';
import type { AgentStats } from './agent.ts';

/** Prometheus text over what the agent counts anyway; read when it is scraped. */
export function agentMetrics(stats: () => AgentStats, families: readonly FamilyState[] = []): Registry {
  const registry = new Registry();
  collectProcessMetrics(registry);
  const registers = [registry];
  const counter = (name: string, help: string, read: (now: AgentStats) => number) =>
    new Counter({
      name: `kubesentry_agent_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(stats()));
      },
    });
  const gauge = (name: string, help: string, read: (now: AgentStats) => number) =>
    new Gauge({
      name: `kubesentry_agent_${name}`,
      help,
      registers,
      collect() {
        this.set(read(stats()));
      },
    });

  const programs = new Gauge({
    name: 'kubesentry_agent_programs',
    help: 'eBPF programs by family and state: attached, or refused by this kernel.',
    labelNames: ['family', 'state'],
    registers,
  });
  for (const { family, attached, failed } of families) {
    programs.set({ family, state: 'attached' }, attached.length);
    programs.set({ family, state: 'refused' }, failed.length);
  }
  counter('events_total', 'Events that the kernel handed up.', (now) => now.sensor.events);
  const byType = (name: string, help: string, read: (now: AgentStats) => Record<string, number>) =>
    new Counter({
      name: `kubesentry_agent_${name}`,
      help,
      labelNames: ['type'],
      registers,
      collect() {
        this.reset();
        for (const [type, count] of Object.entries(read(stats()))) this.inc({ type }, count);
      },
    });
  byType(
    'events_dropped_total',
    'Events that the kernel could not hand up because the ring buffer was full, by type.',
    (now) => now.sensor.dropped,
  );
  byType(
    'events_folded_total',
    'Repeats that the kernel counted instead of handing them up, by type.',
    (now) => now.sensor.folded,
  );
  byType(
    'events_failed_total',
    'Events that could not be handled because of a mistake of the agent, by type.',
    (now) => now.sensor.failed,
  );
  counter('executions_total', 'Programs that were started in the watched cgroups.', (now) => now.executions);
  counter('signals_total', 'Suspicious facts, before they were added up.', (now) => now.correlator.signals);
  counter('detections_total', 'Detections that were opened.', (now) => now.correlator.detections);
  counter(
    'repeats_total',
    'Identical occurrences that were folded into a detection.',
    (now) => now.correlator.repeats,
  );
  counter(
    'folded_total',
    'Processes that were folded by rule because their container had too many.',
    (now) => now.correlator.folded,
  );
  counter('binaries_hashed_total', 'Binaries that were hashed.', (now) => now.binaries.hashed);
  counter(
    'binaries_missed_total',
    'Binaries that were gone or unreadable before they could be hashed.',
    (now) => now.binaries.missed,
  );
  counter(
    'detections_acknowledged_total',
    'Versions of detections that the webhook took.',
    (now) => now.reporter?.acknowledged ?? 0,
  );
  counter(
    'detections_rejected_total',
    'Detections that the webhook refused for good.',
    (now) => now.reporter?.rejected ?? 0,
  );
  counter(
    'report_failures_total',
    'Reports that failed and were sent again.',
    (now) => now.reporter?.failures ?? 0,
  );
  counter('spool_lost_total', 'Detections that found no room on disk.', (now) => now.spool?.lost ?? 0);
  counter(
    'spool_outdated_total',
    'Newer versions of kept detections that found no room on disk.',
    (now) => now.spool?.outdated ?? 0,
  );
  counter(
    'spool_corrupt_total',
    'Files of the spool that could not be read back.',
    (now) => now.spool?.corrupt ?? 0,
  );
  gauge('spool_pending', 'Detections that are not acknowledged yet.', (now) => now.spool?.pending ?? 0);
  gauge('processes', 'Processes that are known.', (now) => now.processes);
  return registry;
}

/** Serves /metrics, /healthz and /readyz on `port`, all plain HTTP. */
export async function serveMetrics(registry: Registry, port: number): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.url === '/metrics') {
      response.setHeader('content-type', registry.contentType).end(await registry.metrics());
    } else if (request.url === '/healthz' || request.url === '/readyz') {
      response.setHeader('content-type', 'text/plain').end('ok');
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(port);
  await once(server, 'listening');
  return server;
}
