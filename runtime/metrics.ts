import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Ability } from '../api/node-state.ts';
import { collectProcessMetrics } from '../api/process-metrics.ts';
import type { FamilyState } from '../bpf/programs.ts';
import type { AgentStats } from './agent.ts';
import { lossesOf } from './losses.ts';
import { reasonOf } from './sensor.ts';

/** Cgroups with a series of their own. */
const CGROUPS = 20;

/** Prometheus text over what the agent counts anyway; read when it is scraped. */
export function agentMetrics(
  stats: () => AgentStats,
  families: readonly FamilyState[] = [],
  abilities: readonly Ability[] = [],
): Registry {
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
  const refused = new Gauge({
    name: 'kubesentry_agent_program_refused',
    help: 'Always 1, for each eBPF program that is off here; the reason is a label.',
    labelNames: ['family', 'program', 'reason'],
    registers,
  });
  for (const { family, attached, failed } of families) {
    programs.set({ family, state: 'attached' }, attached.length);
    programs.set({ family, state: 'refused' }, failed.length);
    for (const { program, error } of failed) refused.set({ family, program, reason: reasonOf(error) }, 1);
  }
  const able = new Gauge({
    name: 'kubesentry_agent_ability',
    help: 'What this node can do, as agent --check tells it: 1 on, 0.5 in part, 0 off; what has a substitute is left out.',
    labelNames: ['ability'],
    registers,
  });
  for (const { name, state } of abilities) {
    if (state !== 'spare') able.set({ ability: name }, { on: 1, part: 0.5, off: 0 }[state]);
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
  new Counter({
    name: 'kubesentry_agent_lost_total',
    help: 'What got lost on its way to the webhook, by stage (ring, reader, judge, spool, sender) and class.',
    labelNames: ['stage', 'class'],
    registers,
    collect() {
      this.reset();
      for (const [name, count] of Object.entries(lossesOf(stats()))) {
        const [stage = '', kind = ''] = name.split('/');
        this.inc({ stage, class: kind }, count);
      }
    },
  });
  new Gauge({
    name: 'kubesentry_agent_cgroup_withheld',
    help: 'Events of a cgroup that were not handed up, since the start: folded or dropped. Those with the most.',
    labelNames: ['cgroup', 'how'],
    registers,
    collect() {
      this.reset();
      for (const { cgroup, folded, dropped } of mostWithheld(stats().spending)) {
        this.set({ cgroup, how: 'folded' }, folded);
        this.set({ cgroup, how: 'dropped' }, dropped);
      }
    },
  });
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

function mostWithheld(spending: AgentStats['spending']): AgentStats['spending'] {
  return spending.toSorted((a, b) => b.dropped - a.dropped || b.folded - a.folded).slice(0, CGROUPS);
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
