import { everyObject } from '../../../kube/every-object.ts';
import { KIND } from '../../../kube/kind.ts';
import { openIncident } from '../../cluster/open-incident.ts';
import type { LightAgent } from './agents.ts';
import { type ContainmentSample, contain } from './containment.ts';
import { patiently } from './patiently.ts';
import { inParallel, makeNamespace, range } from './population.ts';
import type { Rig } from './rig.ts';

/** Incidents of a namespace. */
const TOGETHER = 10;

/** Longer than that is no convergence, milliseconds. */
const PATIENCE_MS = 600_000;

export interface OpenIncidents {
  /** From the moment that the new leader is ready until every incident tells all that can be told without people. */
  convergedMs: number;
  /** Of attacks one after the other meanwhile. */
  attacks: ContainmentSample[];
}

/** What a leader does that finds so many incidents contained by one that died, and nothing else done about them. */
export async function openIncidents(
  rig: Rig,
  agent: LightAgent,
  prefix: string,
  incidents: number,
): Promise<OpenIncidents> {
  const names = range(incidents).map((number) => ({
    name: `${prefix}-${number}`,
    namespace: `${prefix}-${Math.floor(number / TOGETHER)}`,
  }));
  await rig.replaceWebhook(async () => {
    const namespaces = [...new Set(names.map(({ namespace }) => namespace))];
    await inParallel(namespaces, (namespace) => makeNamespace(rig.admin, namespace));
    await inParallel(names, ({ name, namespace }) => openIncident(rig.ours, namespace, name));
  });
  const began = performance.now();
  const attacks: ContainmentSample[] = [];
  let isOver = false;
  const attacking = (async () => {
    while (!isOver) attacks.push(await contain(rig.admin, agent, `attack-${prefix}-${attacks.length}`));
  })();
  try {
    while ((await patiently(() => untold(rig, prefix))) > 0) {
      if (performance.now() - began > PATIENCE_MS) throw new Error('The incidents are not worked on.');
      // Each look reads all of them: more often it would be most of what the API server does.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }
    return { convergedMs: Math.round(performance.now() - began), attacks };
  } finally {
    isOver = true;
    await attacking;
  }
}

/** Incidents that wait for the response, and quarantines that are not in force. */
async function untold({ admin }: Rig, prefix: string): Promise<number> {
  let left = 0;
  for await (const { metadata, status } of everyObject(admin, KIND.Incident)) {
    if (!metadata.name?.startsWith(prefix)) continue;
    if (!status?.steps?.some(({ step }) => step === 'revoke')) left++;
  }
  for await (const { metadata, status } of everyObject(admin, KIND.Quarantine)) {
    if (metadata.name?.startsWith(prefix) && status?.phase !== 'Active') left++;
  }
  return left;
}
