import { expect, it } from 'vitest';
import type { Incident } from '../../api/incident.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { QuarantineIndex } from '../../webhook/quarantine-index.ts';
import { jobsOf } from '../../webhook/response/jobs.ts';

const quarantineOf = (name: string, namespace: string): Quarantine => ({
  apiVersion: 'kubesentry.io/v1alpha1',
  kind: 'Quarantine',
  metadata: { name },
  spec: { namespace, reason: 'A drill.', requestedBy: 'kubesentry', bans: [] },
});

/** All incidents are in the namespace shop. */
const view = {
  quarantines: new QuarantineIndex(),
  incidentNamed: () => ({ spec: { namespace: 'shop' } }) as Incident,
};
const places = (...steps: Parameters<typeof jobsOf>[0]) =>
  jobsOf(steps, view).map(({ place, steps: all }) => `${place}: ${all.map((step) => step.do).join(', ')}`);
const note = (incident: string) => ({ do: 'note' as const, incident, notes: [], isAgain: false });

it('what is not contained yet comes first', () => {
  const attack = { do: 'quarantine' as const, quarantine: quarantineOf('new', 'billing') };
  expect(places(note('old-1'), note('old-2'), attack)[0]).toBe('billing: quarantine');
});

it('a namespace is contained before pods of it are put back behind Services, of which somebody can make thousands', () => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'web' } };
  const attack = { do: 'quarantine' as const, quarantine: quarantineOf('new', 'shop') };
  expect(places({ do: 'reattach', pod }, { do: 'reattach', pod }, attack)).toEqual([
    'shop: quarantine, reattach, reattach',
  ]);
});

it('incidents of a namespace do not wait for each other; what changes the namespace is done in order', () => {
  const quarantine = quarantineOf('q', 'shop');
  const steps = [
    { do: 'activate' as const, quarantine },
    { do: 'isolate' as const, quarantine },
  ];
  expect(places(note('a'), ...steps, note('b'))).toEqual([
    'incident a: note',
    'shop: activate, isolate',
    'incident b: note',
  ]);
});

it('accounts of a namespace are made anew for one incident after the other: their pods may share one', () => {
  const revoke = (incident: string) => ({ do: 'revoke' as const, incident });
  expect(places(revoke('a'), revoke('b'))).toEqual(['revoke in shop: revoke, revoke']);
});
