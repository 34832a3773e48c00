import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Detection } from '../../api/detection.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { ocsf } from '../../cli/plugin/report/ocsf.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import { detectionIn } from '../webhook/detections.ts';
import { podOf } from '../webhook/harness.ts';

interface Shape {
  at_least_one?: string[];
  attributes: Record<
    string,
    { type: string; array?: boolean; required?: boolean; profile?: string; enum?: number[] }
  >;
}

const SHAPES = parse(
  readFileSync(join(import.meta.dirname, '..', 'fixtures', 'ocsf-detection-finding.yaml'), 'utf8'),
) as Record<string, Shape>;

const IS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string_t: (value) => typeof value === 'string' && value !== '',
  integer_t: Number.isInteger,
  long_t: Number.isInteger,
  json_t: () => true,
};

/** What is wrong with an object by the schema, one line each. */
function problems(value: unknown, name: string, profiles: readonly string[], path = name): string[] {
  const shape = SHAPES[name];
  if (typeof value !== 'object' || value === null) return [`${path} is no object`];
  if (!shape) return [`${path}: what is ${name}?`];
  const known = (field: string) => {
    const attribute = shape.attributes[field];
    return attribute && (attribute.profile === undefined || profiles.includes(attribute.profile));
  };
  const lacking = Object.keys(shape.attributes).filter(
    (field) => shape.attributes[field]?.required && known(field) && !(field in value),
  );
  const isPoor = shape.at_least_one && !shape.at_least_one.some((field) => field in value);
  return [
    ...lacking.map((field) => `${path} lacks ${field}`),
    ...(isPoor ? [`${path} has none of ${shape.at_least_one}`] : []),
    ...Object.entries(value).flatMap(([field, content]) => {
      const attribute = shape.attributes[field];
      const here = `${path}.${field}`;
      if (!attribute || !known(field)) return [`${here} is unknown`];
      if (Array.isArray(content) !== (attribute.array ?? false)) return [`${here}: array or not?`];
      return [content].flat().flatMap((each) => {
        const isRight = IS[attribute.type];
        if (!isRight) return problems(each, attribute.type, profiles, here);
        const isListed = attribute.enum?.includes(each) ?? true;
        return isRight(each) && isListed ? [] : [`${here} is ${JSON.stringify(each)}`];
      });
    }),
  ];
}

function findings(detection: Detection, phase: IncidentPhase, namespace = 'shop') {
  const subject = { namespace, workload: { kind: 'DaemonSet', name: 'collector' } };
  const seen = [{ detection, node: 'node-1', traits: [] }];
  const { status, ...incident } = correlate(undefined, seen, {
    name: 'shop-collector-701588',
    subject,
    confirmFrom: 0.9,
  }) as Incident;
  const report = { ...incident, status: { ...status, phase } } as Incident;
  return ocsf({ generated: '2026-11-23T10:00:00.000Z', incident: report, denials: [] })
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const PHASES = ['Detected', 'Confirmed', 'Contained', 'Eradicated', 'Closed', 'Dismissed'] as const;
const usual = detectionIn({ ...podOf('x', 'shop'), metadata: { name: 'x', uid: 'u-1' } });
const container = usual.container as NonNullable<Detection['container']>;
const image = `registry.example.com/app@sha256:${'ab'.repeat(32)}`;

/** What detections may lack, or have. */
const DETECTIONS: Readonly<Record<string, Detection>> = {
  'of a process in a container': usual,
  'with its ancestors': {
    ...usual,
    process: { ...usual.process, ancestors: [{ pid: 1, exe: '/bin/sh', argv: ['sh', '-c', 'x'] }] },
  },
  'of an image with its digest': { ...usual, container: { ...container, name: 'main', image } },
  'of an image with a tag': { ...usual, container: { ...container, image: 'registry.example.com/app:1' } },
  'whose container only a cgroup tells': { ...usual, container: { ...container, id: null } },
  'of a process of the node': { ...usual, container: null, evidence: {} },
  'of a process that nothing is known of': {
    ...usual,
    process: { pid: 7, exe: '', argv: [], uid: 0, sha256: null, ancestors: [] },
  },
  'of a manifest': {
    ...usual,
    process: { pid: 0, exe: 'xmrig', argv: ['xmrig', '-o', 'pool'], uid: 0, sha256: null, ancestors: [] },
    container: { ...container, id: null, name: 'main', image },
  },
  'without much confidence': { ...usual, confidence: 0.3, severity: 'low' },
};

describe('a Detection Finding is as the schema of OCSF says', () => {
  test.each(Object.keys(DETECTIONS))('%s', (which) => {
    for (const phase of PHASES) {
      for (const finding of findings(DETECTIONS[which] as Detection, phase)) {
        expect(finding.metadata.version).toBe('1.3.0');
        expect(problems(finding, 'detection_finding', finding.metadata.profiles)).toEqual([]);
        // Type is class and activity (base_event, type_uid).
        expect(finding.type_uid).toBe(finding.class_uid * 100 + finding.activity_id);
      }
    }
  });

  test('about a node, which is in no namespace', () => {
    const [finding] = findings({ ...usual, container: null }, 'Confirmed', '');
    expect(problems(finding, 'detection_finding', ['container'])).toEqual([]);
  });

  test('and what is not would be found', () => {
    const [finding] = findings(usual, 'Contained');
    const wrong = { ...finding, is_alert: true, severity_id: 7, resources: {}, time: 'now' };
    delete wrong.class_uid;
    expect(problems(wrong, 'detection_finding', [])).toEqual([
      'detection_finding lacks class_uid',
      'detection_finding.time is "now"',
      'detection_finding.severity_id is 7',
      'detection_finding.resources: array or not?',
      'detection_finding.evidences.process.container is unknown',
      'detection_finding.is_alert is unknown',
    ]);
  });
});

test('what was found in a manifest is told as no process', () => {
  const [finding] = findings(DETECTIONS['of a manifest'] as Detection, 'Contained');
  expect(finding.evidences).toMatchObject([
    {
      container: { name: 'main', image: { uid: `sha256:${'ab'.repeat(32)}` } },
      data: { command: 'xmrig -o pool' },
    },
  ]);
  expect(finding.evidences[0].process).toBeUndefined();
});
