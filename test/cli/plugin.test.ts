import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Denial } from '../../api/denial.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { API_VERSION } from '../../api/names.ts';
import type { StepStatus } from '../../api/playbook.ts';
import { PLUGIN_COMMANDS } from '../../cli/commands.ts';
import { completion } from '../../cli/plugin/completion.ts';
import { explain } from '../../cli/plugin/explain.ts';
import { incidents } from '../../cli/plugin/incidents.ts';
import type { Session } from '../../cli/plugin/options.ts';
import { quarantine } from '../../cli/plugin/quarantine.ts';
import { release } from '../../cli/plugin/release.ts';
import { type Given, runWithoutTerminal, type Shown } from '../../cli/plugin/without-terminal.ts';
import { RULES } from '../../detection/rules.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';

const denial: Denial = {
  apiVersion: API_VERSION,
  kind: 'Denial',
  metadata: { name: 'd-0123456789abcdef', namespace: 'shop' },
  spec: {
    verdict: 'deny',
    operation: 'CREATE',
    resource: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'optimizer' },
    user: { username: 'dana', groups: [] },
    gate: 'rules',
    score: 100,
    findings: [
      {
        rule: 'stratum-url',
        severity: 'critical',
        score: 100,
        path: 'spec.template.spec.containers[0].args[1]',
        message: 'It connects to a pool.',
        remedy: 'Remove the miner.',
      },
    ],
    objectDigest: 'sha256:00',
  },
};

const incident: Incident = {
  apiVersion: API_VERSION,
  kind: 'Incident',
  metadata: { name: 'shop-optimizer' },
  spec: { namespace: 'shop', workload: { kind: 'DaemonSet', name: 'optimizer' } },
};

const WAITING: StepStatus = {
  step: 'terminate',
  state: 'AwaitingApproval',
  message: '',
  evidence: [],
  time: '2026-06-01T12:00:00Z',
};

describe('kubectl kubesentry', () => {
  let cluster: MemoryCluster;
  const run = (
    command: (session: Session) => Promise<void>,
    positionals: string[] = [],
    given: Given = {},
  ): Promise<Shown> => runWithoutTerminal(command, cluster, positionals, given);

  beforeEach(async () => {
    cluster = new MemoryCluster();
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    await cluster.create(KIND.Namespace, namespace);
    await cluster.create(KIND.Denial, denial);
    await cluster.create(KIND.Incident, incident);
  });

  test('explain finds a denial in any namespace and says who, where, why and how to exempt', async () => {
    const { text } = await run(explain, ['d-0123456789abcdef']);
    expect(text).toContain('CREATE of DaemonSet shop/optimizer');
    expect(text).toContain('Asked by  dana');
    expect(text).toContain('At        spec.template.spec.containers[0].args[1]');
    expect(text).toContain('workloads: [DaemonSet/optimizer]');
  });

  test('explain underlines what matched in what the record keeps of the object', async () => {
    const args = ['…', 'stratum+tcp://pool.example.com:3333'];
    const excerpt = {
      kind: 'DaemonSet',
      spec: { template: { spec: { containers: [{ name: 'main', args }] } } },
    };
    await cluster.create(KIND.Denial, {
      ...denial,
      metadata: { name: 'd-0000000000000001', namespace: 'shop' },
      spec: { ...denial.spec, excerpt },
    });
    const { text } = await run(explain, ['d-0000000000000001']);
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.includes('- stratum+tcp://pool.example.com:3333'));
    expect(lines[at + 1]?.trimEnd()).toMatch(/ \| +\^{35}$/);
    expect(lines[at + 1]?.indexOf('^')).toBe(lines[at]?.indexOf('stratum'));
  });

  test('explain underlines the name of a container that is meant as a whole, and asks no leave for posture', async () => {
    const [first] = denial.spec.findings;
    const posture = {
      rule: 'posture-privileged',
      severity: 'low' as const,
      score: 4,
      path: 'spec.template.spec.containers[0]',
      message: 'It is privileged.',
      remedy: '',
    };
    const excerpt = { spec: { template: { spec: { containers: [{ args: ['…', '…'], name: 'main' }] } } } };
    await cluster.create(KIND.Denial, {
      ...denial,
      metadata: { name: 'd-0000000000000002', namespace: 'shop' },
      spec: { ...denial.spec, findings: [...(first ? [first] : []), posture], excerpt },
    });
    const { text } = await run(explain, ['d-0000000000000002']);
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.endsWith('name: main'));
    expect(lines[at + 1]?.trimEnd()).toMatch(/ \| +\^{4}$/);
    expect(text).toContain('rules: [stratum-url]');
  });

  test('explain says of what is in no namespace that it is in none, and once is once', async () => {
    await cluster.create(KIND.Denial, {
      ...denial,
      metadata: { name: 'd-0000000000000003', namespace: 'shop' },
      spec: { ...denial.spec, operation: 'UPDATE', resource: { ...denial.spec.resource, kind: 'Incident' } },
    });
    const { text } = await run(explain, ['d-0000000000000003']);
    expect(text).toContain('UPDATE of Incident optimizer\n');
    expect(text).toContain('Refused   once\n');
  });

  test('explain offers no exemption by a name that somebody only asked to enter', async () => {
    const named = async (name: string) => {
      await cluster.create(KIND.Denial, {
        ...denial,
        metadata: { name: 'd-0000000000000004', namespace: 'shop' },
        spec: {
          ...denial.spec,
          operation: 'CONNECT',
          resource: { ...denial.spec.resource, kind: 'Pod', name },
        },
      });
      const { text } = await run(explain, ['d-0000000000000004']);
      await cluster.delete(KIND.Denial, { namespace: 'shop', name: 'd-0000000000000004' });
      return text;
    };
    for (const name of ['*', 'web*', "x]\n        namespaces: ['*'", 'web\u001b[2J']) {
      const text = await named(name);
      expect(text).toContain('workloads: [KIND/NAME OF WHAT MAKES IT]');
      expect(text).toContain('name: allow-this,');
      expect(text.match(/namespaces:.*/g)?.at(-1)).toBe('namespaces: [shop]');
      expect(text).not.toContain('\u001b');
    }
    expect(await named('web-1.a')).toContain('workloads: [Pod/web-1.a]');
  });

  test('explain underlines it in the manifest of the user, with its line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubesentry-explain-'));
    const file = join(folder, 'manifest.yaml');
    writeFileSync(
      file,
      [
        'kind: DaemonSet',
        'metadata: { name: optimizer }',
        'spec:',
        '  template:',
        '    spec:',
        '      containers:',
        '        - name: main',
        '          args: ["-o", "stratum+tcp://pool.example.com:3333"]',
      ].join('\n'),
    );
    const { text } = await run(explain, ['d-0123456789abcdef'], { options: { filename: file } });
    expect(text).toContain(`${file}:8:24`);
    expect(text).toMatch(/8 \| +args: \["-o", "stratum/);
    await expect(
      run(explain, ['d-0123456789abcdef'], { options: { filename: join(folder, 'none') } }),
    ).rejects.toThrow('cannot be read');
    rmSync(folder, { recursive: true });
  });

  test('explain keeps to 80 columns', async () => {
    for (const rule of Object.keys(RULES)) {
      for (const line of (await run(explain, [rule])).text.split('\n')) {
        expect(line.length, line).toBeLessThanOrEqual(80);
      }
    }
  });

  test('explain knows rules, and says so when a name is neither', async () => {
    expect((await run(explain, ['stratum-url'])).text).toMatch(/^stratum-url: /);
    await expect(run(explain, ['d-none'])).rejects.toThrow('There is no denial "d-none"');
  });

  test('incidents lists them in columns, those that need somebody first, and tells about one', async () => {
    await incidentIn('Closed', 'shop-old');
    await incidentIn('Confirmed', 'shop-new');
    const { text } = await run(incidents);
    const [header, first, ...rest] = text.trimEnd().split('\n');
    expect(header).toMatch(/^NAME +PHASE +CONFIDENCE +NAMESPACE +WORKLOAD +RULE +WAITS FOR +LAST SEEN$/);
    expect(first).toMatch(/^shop-new +Confirmed +0.9 +shop +DaemonSet\/optimizer +<none> +terminate +/);
    expect(rest.map((line) => line.split(' ')[0])).toEqual(['shop-old', 'shop-optimizer']);
    await expect(run(incidents, ['none'])).rejects.toThrow('There is no incident "none"');
    await expect(run(incidents, ['none'], { options: { output: 'json' } })).rejects.toThrow(
      'There is no incident',
    );
  });

  test('incidents that are eradicated wait for the release of their quarantine, not for nobody', async () => {
    await incidentIn('Eradicated', 'shop-gone', []);
    await incidentIn('Eradicated', 'shop-asked');
    const { text } = await run(incidents);
    expect(text).toMatch(/^shop-gone +Eradicated .* <none> +release +\d/m);
    expect(text).toMatch(/^shop-asked +Eradicated .* <none> +terminate +\d/m);
  });

  test('incidents are printed as kubectl prints objects: wide, json, yaml, name, without headers', async () => {
    const as = async (output: string) => (await run(incidents, [], { options: { output } })).text;
    expect(await as('wide')).toMatch(/^NAME .* PODS +NODES +MADE BY +QUARANTINE\n/);
    expect(JSON.parse(await as('json'))).toMatchObject({
      kind: 'List',
      items: [{ metadata: incident.metadata }],
    });
    expect(parse(await as('yaml'))).toEqual(JSON.parse(await as('json')));
    expect(await as('name')).toBe('incident.kubesentry.io/shop-optimizer\n');
    expect((await run(incidents, [], { flags: ['no-headers'] })).text).toMatch(/^shop-optimizer/);
    await expect(as('xml')).rejects.toThrow('There is no format "xml"');
    const elsewhere = await run(incidents, [], { namespace: 'billing' });
    expect(elsewhere).toMatchObject({ text: '', warnings: 'No incidents found in namespace billing.\n' });
  });

  test('nothing that an attacker named steers the terminal, as columns, JSON or YAML', async () => {
    const nasty = 'web\u001b[2J\u009b31m\u202e\nincident-of-mine   Closed';
    const spec = { namespace: 'shop', reason: nasty, requestedBy: nasty, bans: [] };
    await cluster.create(KIND.Quarantine, {
      apiVersion: API_VERSION,
      kind: 'Quarantine',
      metadata: { name: 'q' },
      spec,
    });
    const { text } = await run(quarantine, [], { options: { output: 'wide' } });
    expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
    expect(text.trimEnd().split('\n')).toHaveLength(2);
    for (const output of ['json', 'yaml']) {
      const shown = (await run(quarantine, [], { options: { output } })).text;
      expect(shown).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
      expect(parse(shown).items[0].spec.reason).toBe(nasty);
    }
  });

  test('--watch shows what is there, then every change as a line, until it is interrupted', async () => {
    const stop = new AbortController();
    let text = '';
    const watching = run(incidents, [], {
      flags: ['watch'],
      namespace: 'shop',
      signal: stop.signal,
      onText: (more) => {
        text += more;
      },
    });
    await expect.poll(() => text).toMatch(/^NAME .*\nshop-optimizer .*\n$/);
    await incidentIn('Contained', 'shop-late');
    await expect.poll(() => text.split('\n')[2]).toMatch(/^shop-late /);
    await expect.poll(() => text).toMatch(/shop-late +Contained/);
    stop.abort();
    await watching;
  });

  test('quarantine without arguments lists what is contained', async () => {
    expect((await run(quarantine)).warnings).toBe('Nothing is contained.\n');
    await cluster.create(KIND.Quarantine, {
      apiVersion: API_VERSION,
      kind: 'Quarantine',
      metadata: { name: 'manual-shop' },
      spec: { namespace: 'shop', reason: 'odd traffic', requestedBy: 'dana', bans: [] },
    });
    expect((await run(quarantine)).text).toMatch(
      /\nmanual-shop +shop +<all> +Pending +dana +0 +<never> +\ds\n$/,
    );
  });

  test('completion offers commands, and what there is for each', async () => {
    const offered = (session: Session) => completion(session, Object.keys(PLUGIN_COMMANDS));
    const complete = async (...words: string[]) =>
      (await run(offered, words, { flags: ['words'] })).text.split('\n').slice(0, -1);
    expect(await complete('in')).toEqual(['incidents', ':4']);
    expect(await complete('report', 'shop-')).toEqual(['shop-optimizer', ':4']);
    expect(await complete('approve', 'shop-optimizer', 're')).toEqual(['revoke', 'report', ':4']);
    expect(await complete('quarantine', 'sh')).toEqual(['shop', ':4']);
    expect(await complete('explain', 'd-0')).toEqual(['d-0123456789abcdef', ':4']);
    expect(await complete('status', '')).toEqual([':4']);
    expect((await run(offered)).text).toMatch(/^#!\/bin\/sh\n/);
  });

  test('release deletes the quarantine and waits until the namespace is put back', async () => {
    const quarantine = {
      apiVersion: API_VERSION,
      kind: 'Quarantine' as const,
      metadata: { name: 'q' },
      spec: { namespace: 'shop', reason: 'r', requestedBy: 'kubesentry', bans: [] },
    };
    await cluster.create(KIND.Quarantine, quarantine);
    const label = (value: string | null) =>
      cluster.patch(
        KIND.Namespace,
        { name: 'shop' },
        { metadata: { labels: { 'kubesentry.io/quarantine': value } } },
      );
    await label('q');
    let said = '';
    const releasing = run(release, ['q'], {
      onText: (more) => {
        said += more;
      },
    });
    await expect.poll(() => cluster.get(KIND.Quarantine, { name: 'q' })).toBeUndefined();
    expect(said).toBe('');
    await label(null);
    await releasing;
    expect(said).toContain('namespace shop is no longer contained');
    await expect(run(release, ['q'])).rejects.toThrow('There is no quarantine "q"');
  });

  async function incidentIn(phase: IncidentPhase, name: string, steps = [WAITING]): Promise<void> {
    const status: NonNullable<Incident['status']> = {
      phase,
      confidence: 0.9,
      reasons: [],
      firstSeen: '2026-06-01T12:00:00Z',
      lastSeen: '2026-06-01T12:00:00Z',
      detections: [],
      pods: [],
      nodes: [],
      fingerprint: [],
      timeline: [],
      omitted: { detections: 0, pods: 0, timeline: 0 },
      steps,
    };
    await cluster.create(KIND.Incident, { ...incident, metadata: { name } });
    await cluster.patch(KIND.Incident, { name }, { status }, { subresource: 'status' });
  }
});
