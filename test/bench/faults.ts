/**
 * What the response does when things break, on a real control plane with two replicas of the webhook: kill -9 of the
 * leader after every single write of a response, an API server that is away for a minute, edits by people meanwhile,
 * 10,000 detections at once, 1,000 open incidents, clocks a minute off. Ends with 1 when anything was lost or done
 * twice.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { columns } from '../../cli/columns.ts';
import { crashAt, doneTwice } from '../cluster/crash.ts';
import { CRASH_POINTS, type CrashPoint } from '../cluster/crash-points.ts';
import { ResponseScene } from '../cluster/response-scene.ts';
import { burst, interference, manyOpen, outage } from '../cluster/storms.ts';

const METHOD =
  'Two processes `kubesentry webhook` and a real kube-apiserver with its controllers on one host. Each replica reaches ' +
  'the API server through a proxy that ends it at one exact write: the API server has done it, the replica has not ' +
  'heard. The lease holds 3 s (15 s by default), and that wait is part of each crash. Done twice: creations and ' +
  'deletions in the audit log of the API server. Milliseconds.';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    outage: { type: 'string', default: '60' },
    detections: { type: 'string', default: '10000' },
    incidents: { type: 'string', default: '1000' },
    only: { type: 'string', default: '' },
  },
});
const log = (line: string) => process.stderr.write(`${line}\n`);

const results: { fault: string; ms: Record<string, number>; problems: string[] }[] = [];

async function measure(
  fault: string,
  act: () => Promise<{ ms: Record<string, number>; problems?: string[] }>,
): Promise<void> {
  if (!fault.includes(values.only)) return;
  log(`${fault} ...`);
  try {
    const { ms, problems = [] } = await act();
    results.push({ fault, ms, problems });
  } catch (error) {
    results.push({ fault, ms: {}, problems: [error instanceof Error ? error.message : String(error)] });
  }
}

const scene = await ResponseScene.open('bench-faults', {
  gracePeriodSeconds: 0,
  steps: { terminate: 'auto', revoke: 'auto' },
});
try {
  const whatWasDoneTwice = async (namespace: string) => doneTwice(await scene.writesOfOurs(), namespace);
  for (const point of Object.keys(CRASH_POINTS) as CrashPoint[]) {
    await measure(`kill -9 after: ${point}`, async () => {
      const { took, problems } = await crashAt(scene, point);
      return { ms: { converged: took }, problems };
    });
  }
  await measure(`API server away for ${values.outage} s`, async () => ({
    ms: { converged: await outage(scene, 'outage', Number(values.outage) * 1000) },
    problems: await whatWasDoneTwice('outage'),
  }));
  await measure('edits by people meanwhile', async () => ({
    ms: { converged: await interference(scene, 'edited') },
    problems: await whatWasDoneTwice('edited'),
  }));
  await measure(`${values.detections} detections at once`, async () => {
    const { took, denied } = await burst(scene, 'burst', Number(values.detections));
    return { ms: { acknowledged: took, 'attack meanwhile denied': denied } };
  });
  await measure('clocks a minute off, and a crash', async () => {
    await scene.startReplica('one', 60_000);
    await scene.startReplica('two', -60_000);
    const { took, problems } = await crashAt(scene, 'the incident is contained', { namespace: 'skewed' });
    return { ms: { converged: took }, problems };
  });
  await measure(`${values.incidents} incidents open`, async () => ({
    ms: await manyOpen(scene, 'open', Number(values.incidents)),
  }));
} finally {
  await scene.close();
}

if (values.json) {
  const machine = { cpus: availableParallelism(), load: loadavg()[0] };
  console.log(JSON.stringify({ bench: 'faults', method: METHOD, machine, results }, null, 2));
} else {
  const rows = results.map(({ fault, ms, problems }) => [
    fault,
    Object.entries(ms)
      .map(([what, took]) => `${what} ${Math.round(took)}`)
      .join(', '),
    problems.join('; ') || 'none',
  ]);
  console.log(`${columns(['FAULT', 'MILLISECONDS', 'LOST OR DONE TWICE'], rows)}\n${METHOD}`);
}
process.exitCode = results.some(({ problems }) => problems.length > 0) ? 1 : 0;
