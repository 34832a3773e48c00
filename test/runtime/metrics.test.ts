import type { AddressInfo } from 'node:net';
import { BpfError } from 'node-libbpf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AgentStats } from '../../runtime/agent.ts';
import { agentMetrics, serveMetrics } from '../../runtime/metrics.ts';

const stats: AgentStats = {
  sensor: { events: 7, dropped: { exec: 3, connect: 0 }, folded: { exec: 5 }, failed: {} },
  spending: [],
  correlator: { signals: 5, detections: 2, repeats: 3, folded: 0, forgotten: 0 },
  binaries: { hashed: 1, cached: 1, missed: 0 },
  settingsFiles: { missed: 0 },
  processes: 42,
  executions: 9,
  reporter: { acknowledged: 2, rejected: 0, failures: 1 },
  spool: { pending: 1, bytes: 100, lost: 4, outdated: 2, corrupt: 0 },
};

let server: Awaited<ReturnType<typeof serveMetrics>>;
let base: string;
beforeAll(async () => {
  server = await serveMetrics(
    agentMetrics(
      () => stats,
      [
        {
          family: 'lsm',
          attached: [],
          failed: [
            { program: 'on_exec_check', error: new BpfError('EPERM', 'load', 'It cannot be loaded.') },
          ],
        },
      ],
    ),
    0,
  );
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

it('exports what was counted, also what was lost', async () => {
  const text = await (await fetch(`${base}/metrics`)).text();
  for (const line of [
    'kubesentry_agent_events_total 7',
    'kubesentry_agent_events_dropped_total{type="exec"} 3',
    'kubesentry_agent_detections_total 2',
    'kubesentry_agent_spool_lost_total 4',
    'kubesentry_agent_spool_pending 1',
    'kubesentry_agent_processes 42',
    'kubesentry_agent_programs{family="lsm",state="refused"} 1',
    'kubesentry_agent_program_refused{family="lsm",program="on_exec_check",reason="EPERM, It cannot be loaded."} 1',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
});

it('gives the same counts when it is asked twice', async () => {
  await fetch(`${base}/metrics`);
  const text = await (await fetch(`${base}/metrics`)).text();
  expect(text).toContain('kubesentry_agent_events_total 7\n');
});

it('answers probes, and nothing else', async () => {
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
  expect((await fetch(`${base}/readyz`)).status).toBe(200);
  expect((await fetch(`${base}/`)).status).toBe(404);
});
