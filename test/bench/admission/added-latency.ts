import { Agent, request } from 'undici';
import { CONFIGURATION_NAME } from '../../../webhook/configuration.ts';
import type { RunningCluster } from '../../cluster/cluster.ts';
import { must } from '../../cluster/install.ts';
import { daemonSetReview } from './reviews.ts';

const SAMPLES = 1000;
const BLOCK = 100;

/** Not counted, once with the webhook and once without. */
const WARM_UP = 2000;

/**
 * Sequential dry-run POSTs of DaemonSets to a real API server, with the webhook registered and without, in turns of a
 * hundred; milliseconds.
 */
export async function addedLatency(cluster: RunningCluster, log: (line: string) => void) {
  log('Through the API server ...');
  const dispatcher = new Agent({ connect: { ca: cluster.ca }, connections: 1 });
  const configuration = await must(cluster, [
    'get',
    'validatingwebhookconfigurations',
    CONFIGURATION_NAME,
    '-o',
    'json',
  ]);
  const times = { without: [] as number[], with: [] as number[] };
  let index = 0;
  const post = async (into: number[]) => {
    const { object } = JSON.parse(daemonSetReview(index++).body.toString()).request;
    const { uid: _, creationTimestamp: __, ...metadata } = object.metadata;
    const body = JSON.stringify({ ...object, metadata });
    const began = performance.now();
    const answer = await request(
      `${cluster.url}/apis/apps/v1/namespaces/${metadata.namespace}/daemonsets?dryRun=All`,
      {
        method: 'POST',
        dispatcher,
        body,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.adminToken}` },
      },
    );
    await answer.body.dump();
    if (answer.statusCode !== 201) throw new Error(`The API server answered ${answer.statusCode}.`);
    into.push(performance.now() - began);
  };
  for (let turn = 0; turn < SAMPLES / BLOCK; turn++) {
    await must(cluster, [
      'delete',
      'validatingwebhookconfigurations',
      CONFIGURATION_NAME,
      '--ignore-not-found',
    ]);
    await settle(turn, post);
    for (let at = 0; at < BLOCK; at++) await post(times.without);
    await must(cluster, ['create', '-f', '-'], withoutVersion(configuration));
    await settle(turn, post);
    for (let at = 0; at < BLOCK; at++) await post(times.with);
  }
  await dispatcher.close();
  const [bare, judged] = [median(times.without), median(times.with)];
  return {
    samples: SAMPLES,
    warmUp: WARM_UP,
    p50Without: bare,
    p50With: judged,
    added: Math.round((judged - bare) * 100) / 100,
  };
}

/**
 * The API server hears of a configuration by a watch, and both sides are new to each other: the load before came over
 * HTTP/1.1, and V8 takes thousands of requests to compile what HTTP/2 runs.
 */
async function settle(turn: number, post: (into: number[]) => Promise<void>): Promise<void> {
  for (let at = 0; at < (turn === 0 ? WARM_UP : 50); at++) await post([]);
}

function withoutVersion(json: string): string {
  const { metadata, ...rest } = JSON.parse(json);
  return JSON.stringify({ ...rest, metadata: { name: metadata.name, labels: metadata.labels } });
}

function median(times: number[]): number {
  return Math.round((times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0) * 100) / 100;
}
