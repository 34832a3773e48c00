import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { dashboard, dashboardQueries } from '../../manifests/dashboards/dashboard.ts';
import type { AgentStats } from '../../runtime/agent.ts';
import { agentMetrics, serveMetrics } from '../../runtime/metrics.ts';
import { openScene, type Scene } from '../webhook/harness.ts';
import { promtool, promtoolMissing } from './promtool.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ALERTS = join(ROOT, 'manifests', 'alerts');

interface AlertRule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook: string };
}
const { groups } = parse(readFileSync(join(ALERTS, 'rules.yaml'), 'utf8')) as {
  groups: { rules: AlertRule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

const idle: AgentStats = {
  sensor: { events: 0, dropped: { exec: 0 }, folded: {}, failed: {} },
  spending: [],
  correlator: { signals: 0, detections: 0, repeats: 0, folded: 0, forgotten: 0 },
  binaries: { hashed: 0, cached: 0, missed: 0 },
  settingsFiles: { missed: 0 },
  processes: 0,
  executions: 0,
};

/** Without Grafana's variables, which promtool does not know. */
const plain = (expr: string) => expr.replaceAll('$__rate_interval', '5m');

describe('what Prometheus is given', () => {
  let scene: Scene;
  const scrapes: Record<string, string> = {};

  beforeAll(async () => {
    scene = await openScene();
    scrapes.webhook = await (await fetch(`${scene.webhook.probeUrl}/metrics`)).text();
    const agent = await serveMetrics(
      agentMetrics(() => idle, [{ family: 'exec', attached: ['exec'], failed: [] }]),
      0,
    );
    scrapes.agent = await (
      await fetch(`http://127.0.0.1:${(agent.address() as AddressInfo).port}/metrics`)
    ).text();
    agent.close();
    await once(agent, 'close');
  });
  afterAll(() => scene?.[Symbol.asyncDispose]());

  const exported = () =>
    new Set(
      Object.values(scrapes).flatMap((text) =>
        [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
          type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
        ),
      ),
    );

  it.each([
    ...rules.map(({ alert, expr }) => [alert, expr]),
    ...dashboardQueries().map((expr) => [expr.slice(0, 60), expr]),
  ])('has every metric of %s', (_name, expr) => {
    const names = expr.match(/\b(?:kubesentry|process|nodejs|kube)_[a-z0-9_]+/g) ?? [];
    // kube_* comes from kube-state-metrics.
    const ours = names.filter((name) => !name.startsWith('kube_'));
    expect(names.length).toBeGreaterThan(0);
    expect(ours.filter((name) => !exported().has(name))).toEqual([]);
  });

  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s says what, why and where to read on',
    (_name, rule) => {
      expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
      expect(rule.annotations.description).toMatch(/\.$/);
      const [file = '', anchor] = rule.annotations.runbook.split('#');
      const page = join(ROOT, file);
      expect(existsSync(page)).toBe(true);
      if (anchor) {
        const heading = new RegExp(`^#+ ${anchor.replaceAll('-', '[ -]')}$`, 'im');
        expect(readFileSync(page, 'utf8')).toMatch(heading);
      }
    },
  );

  it('lays the dashboard out without two panels in one place', () => {
    const { panels } = dashboard() as {
      panels: { id: number; gridPos: { x: number; y: number; w: number } }[];
    };
    const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(places).size).toBe(panels.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });

  describe.skipIf(promtoolMissing)('in the eyes of promtool', () => {
    it.each(['webhook', 'agent'])('the metrics of the %s follow the naming rules', (server) => {
      expect(promtool(['check', 'metrics'], scrapes[server])).toEqual({ status: 0, output: '' });
    });

    it('the alert rules are valid and fire when they should, and only then', () => {
      expect(promtool(['check', 'rules', join(ALERTS, 'rules.yaml')])).toMatchObject({ status: 0 });
      const tested = promtool(['test', 'rules', join(ALERTS, 'rules.test.yaml')]);
      expect(tested.output).toContain('SUCCESS');
      expect(tested.status).toBe(0);
    });

    it('every query of the dashboard parses', () => {
      const folder = mkdtempSync(join(tmpdir(), 'kubesentry-promtool-'));
      const file = join(folder, 'queries.yaml');
      const asRules = dashboardQueries().map((expr, at) => ({ record: `q:${at}`, expr: plain(expr) }));
      writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules: asRules }] }));
      const { status, output } = promtool(['check', 'rules', file]);
      rmSync(folder, { recursive: true });
      expect({ status, output }).toMatchObject({ status: 0 });
    });
  });
});
