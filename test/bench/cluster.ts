/**
 * Kubesentry in a real cluster with a real node: how long from the exec of a miner's stand-in until its detection is
 * acknowledged, until the Quarantine exists, and until the first pod is refused in its namespace. Every attack has a
 * namespace and an innocent pod of its own, which are cleaned up before the next.
 */
import { existsSync, watch } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Incident } from '../../api/incident.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { ApiClient } from '../cluster/api-client.ts';
import { startCluster } from '../cluster/cluster.ts';
import { eventually } from '../cluster/eventually.ts';
import { installKubesentry, must } from '../cluster/install.ts';
import { attack, loadStandIn, sleeper } from '../cluster/stand-in.ts';
import { quantiles } from './fleet/quantiles.ts';

/** How often a pod is offered to a namespace under attack, milliseconds; this adds to the last measure. */
const OFFER_MS = 10;

const METHOD =
  'One host, one clock. The exec is the time that the kernel gave its event (as in the detection, whole milliseconds). ' +
  "Acknowledged: the detection's file left the agent's spool. Quarantine: a watch of the API server showed the object. " +
  `Refused: the first dry-run pod that was denied, one offered ${OFFER_MS} ms after the answer to the one before.`;

const MEASURES = {
  acknowledged: 'exec -> acknowledged detection',
  quarantined: 'exec -> Quarantine object',
  refused: 'exec -> first refused respawn',
};
type Sample = Record<keyof typeof MEASURES, number>;

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, attacks: { type: 'string', default: '50' } },
});
const attacks = Number(values.attacks);
const log = (line: string) => process.stderr.write(`${line}\n`);
/** Milliseconds since 1970, with fractions. */
const now = () => performance.timeOrigin + performance.now();

const cluster = await startCluster({ name: 'bench', node: true, log });
const over = new AbortController();
try {
  loadStandIn(cluster);
  const { spool } = await installKubesentry(cluster, log);
  await using api = await ApiClient.open(cluster);

  /** When each detection left the spool, by id, and each namespace's Quarantine was seen first. */
  const left = new Map<string, number>();
  const quarantined = new Map<string, number>();
  const spooled = watch(spool, (_event, file) => {
    const id = /^([0-9a-f]{32})\.json$/.exec(file ?? '')?.[1];
    if (id !== undefined && !left.has(id) && !existsSync(join(spool, `${id}.json`))) left.set(id, now());
  });
  const watching = api.watch<Quarantine>(
    '/apis/kubesentry.io/v1alpha1/quarantines',
    ({ spec }, type) => {
      if (type === 'ADDED') quarantined.set(spec.namespace, now());
    },
    over.signal,
  );

  const samples: Sample[] = [];
  for (let index = 0; index < attacks; index++) {
    const namespace = `attack-${index}`;
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    await must(cluster, ['create', 'namespace', namespace]);
    await must(cluster, ['apply', '-f', '-'], JSON.stringify(sleeper(namespace, 'web')));
    await must(cluster, ['wait', '--for=condition=Ready', 'pod/web', '-n', namespace, '--timeout=30s']);
    const { body } = await api.ask<{ status: { containerStatuses: [{ containerID: string }] } }>(
      'GET',
      `${pods}/web`,
    );

    attack(cluster, body.status.containerStatuses[0].containerID.replace('containerd://', ''));
    const refused = await eventually('refused pod', async () => {
      const { status } = await api.ask('POST', `${pods}?dryRun=All`, sleeper(namespace, 'again', 'other'));
      return status === 201 ? undefined : now();
    });
    const detection = await eventually('detection', async () => {
      const { body } = await api.ask<{ items: Incident[] }>('GET', '/apis/kubesentry.io/v1alpha1/incidents');
      const incident = body.items.find(({ spec }) => spec.namespace === namespace);
      return incident?.status?.detections[0];
    });
    const executed = Date.parse(detection.time);
    const acknowledged = await eventually('acknowledgement', () => left.get(detection.id));
    const contained = await eventually('quarantine', () => quarantined.get(namespace));
    samples.push({
      acknowledged: Math.round(acknowledged - executed),
      quarantined: Math.round(contained - executed),
      refused: Math.round(refused - executed),
    });

    const asOnCall = ['--as=oncall', `--as-group=${BREAK_GLASS_GROUP}`, '--as-group=system:masters'];
    await must(cluster, ['delete', 'quarantines,incidents', '--all', ...asOnCall]);
    await must(cluster, ['delete', 'pod', 'web', '-n', namespace]);
    await must(cluster, ['delete', 'namespace', namespace, '--wait=false']);
    if ((index + 1) % 10 === 0) log(`${index + 1} of ${attacks} attacks`);
  }
  over.abort();
  await watching;
  spooled.close();
  print(samples);
} finally {
  await cluster.stop();
}

function print(samples: readonly Sample[]): void {
  const rows = (Object.keys(MEASURES) as (keyof Sample)[]).map((measure) => ({
    measure,
    ...quantiles(samples.map((sample) => sample[measure])),
  }));
  if (values.json) {
    const milliseconds = Object.fromEntries(rows.map(({ measure, ...numbers }) => [measure, numbers]));
    console.log(
      JSON.stringify(
        { attacks: samples.length, machine: machine(), milliseconds, samples, method: METHOD },
        null,
        2,
      ),
    );
    return;
  }
  console.log(
    `${'milliseconds'.padEnd(34)}${['p50', 'p99', 'max'].map((name) => name.padStart(8)).join('')}`,
  );
  for (const { measure, p50, p99, max } of rows) {
    const numbers = [p50, p99, max].map((number) => String(number).padStart(8)).join('');
    console.log(MEASURES[measure].padEnd(34) + numbers);
  }
  console.log(`\n${samples.length} attacks on ${machine()}. ${METHOD}`);
}

/** What else the machine had to do shows in the load. */
function machine(): string {
  return `${availableParallelism()} cores with a load of ${loadavg()[0]?.toFixed(1)}`;
}
