import { describe, expect, it } from 'vitest';
import type { IncidentAttribution } from '../../api/attribution.ts';
import type { Ancestor, Detection } from '../../api/detection.ts';
import type { Incident } from '../../api/incident.ts';
import { wayIn } from '../../webhook/response/playbook/way-in.ts';

const ancestor = (exe: string, ...argv: string[]): Ancestor => ({ pid: 7, exe, argv: [exe, ...argv] });

function incident(ancestors: Ancestor[], attribution?: IncidentAttribution): Pick<Incident, 'status'> {
  const detection: Detection = {
    id: 'a'.repeat(32),
    time: '2026-11-23T10:00:00.000Z',
    rule: 'pool-protocol',
    severity: 'critical',
    confidence: 1,
    action: 'none',
    process: { pid: 9, exe: '/tmp/x', argv: ['./x'], uid: 0, sha256: null, ancestors },
    container: null,
    evidence: { findings: [{ rule: 'download-execute', message: 'It fetched /tmp/x and ran it.' }] },
    repeats: 0,
  };
  const status = { detections: [detection], ...(attribution && { attribution }) };
  return { status: status as unknown as NonNullable<Incident['status']> };
}

describe('the way in', () => {
  it('is an application that was made to run a shell', () => {
    const { message, evidence } = wayIn(
      incident([ancestor('/bin/sh', '-c', 'curl x'), ancestor('/usr/bin/java')]),
    );
    expect(message).toContain('ava (pid 7), which serves requests, was made to start it, through a shell');
    expect(evidence).toContain('download: It fetched /tmp/x and ran it.');
    expect(evidence?.at(-1)).toMatch(/^missing: no audit events reach Kubesentry/);
  });

  it('is a shell, or the container itself, where nothing serves', () => {
    expect(wayIn(incident([ancestor('/bin/bash', '-i')])).message).toContain(
      "the container's own command, or kubectl exec",
    );
    expect(wayIn(incident([])).message).toContain('image or manifest');
  });

  it('names who did it and every hop, where the audit stream tells', () => {
    const hop = { time: '2026-11-23T09:58:00Z', user: 'mallory', address: '203.0.113.9', auditID: 'id-1' };
    const { message, evidence } = wayIn(
      incident([], {
        creator: { ...hop, groups: [], userAgent: 'curl/8' },
        wayIn: [{ ...hop, kind: 'exec', message: 'ran sh in pods shop/web' }],
        siblings: [],
        changes: [],
        respawns: 0,
        confidence: 0.9,
        reasons: [],
        missing: ['no events before 09:00'],
      }),
    );
    expect(message).toBe('mallory from 203.0.113.9 with curl/8 made it (confidence 0.9).');
    expect(evidence).toContain(
      'exec: 2026-11-23T09:58:00Z mallory from 203.0.113.9 ran sh in pods shop/web [audit id-1]',
    );
    expect(evidence?.at(-1)).toBe('missing: no events before 09:00');
  });
});
