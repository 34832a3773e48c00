import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import { report } from '../webhook/detections.ts';
import { eventually, indicators, openScene, post, type Scene } from '../webhook/harness.ts';
import { outcomeOf } from './outcome.ts';
import { type Line, type Outcome, RECORDING, readRecording, timeless } from './recording.ts';
import { ReplayedKernel } from './replayed-kernel.ts';

const NODE = 'n1';
const TOKEN = 'the-token-of-the-audit-webhook';
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

test('a recorded attack: the same reviews, audit events and kernel events give the same verdicts and incident', async () => {
  const facts = new SqliteFacts(':memory:', RETENTION);
  const scene = await openScene({ facts, auditToken: async () => TOKEN });
  const recorded = readRecording(ofNow(readFileSync(RECORDING, 'utf8')));
  const { pod, renamed } = await furnish(scene, recorded);
  const kernel = new ReplayedKernel(NODE, pod, indicators);
  const played = recorded.map((line) => JSON.parse(renamed(JSON.stringify(line))) as Line);
  const counts = { review: 0, audit: 0, kernel: 0 };
  let wanted: Outcome | undefined;
  for (const line of played) {
    switch (line.line) {
      case 'review': {
        const { json } = await post(scene.webhook, '/validate', line.review);
        const { allowed, status } = json.response;
        expect({ allowed, message: timeless(status?.message ?? '') }).toEqual({
          allowed: line.allowed,
          message: timeless(line.message),
        });
        counts.review++;
        break;
      }
      case 'audit': {
        const body = { apiVersion: 'audit.k8s.io/v1', kind: 'EventList', items: line.items };
        const { status } = await post(scene.webhook, '/audit', body, {
          headers: { authorization: `Bearer ${TOKEN}` },
        });
        expect(status).toBe(200);
        counts.audit += line.items.length;
        break;
      }
      case 'kernel':
        kernel.play(line.events.map((event) => Buffer.from(renamed(latin(event)), 'latin1')));
        counts.kernel += line.events.length;
        break;
      case 'contained': {
        const { json } = await report(scene, NODE, await kernel.detections());
        expect(json.rejected).toEqual([]);
        await eventually(
          async () => ((await incident(scene))?.status?.phase === 'Contained' ? true : undefined),
          'containment',
        );
        break;
      }
      case 'outcome':
        wanted = line.outcome;
        break;
      case 'object':
        break;
    }
  }
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(3);
  // Attribution is looked at again when the facts have settled.
  await expect
    .poll(async () => comparable(await outcome(scene)), { timeout: 15_000, interval: 100 })
    .toEqual(comparable(wanted));
  kernel.close();
  await scene[Symbol.asyncDispose]();
  await facts.close();
}, 40_000);

const incident = async (scene: Scene) =>
  (await scene.cluster.list(KIND.Incident)).items.find(({ spec }) => spec.namespace === 'shop');

async function outcome(scene: Scene): Promise<Outcome | undefined> {
  const found = await incident(scene);
  return found && outcomeOf(found);
}

/** The full path of a binary comes from /proc, which a recording has not. */
function comparable(outcome: Outcome | undefined): object | undefined {
  if (!outcome) return undefined;
  const { process, ...rest } = outcome;
  return { ...rest, process: { argv: process.argv, ancestors: process.ancestors } };
}

/** Moves every time so that the last one is now: tokens and retention go by the clock. */
function ofNow(text: string): string {
  const last = Math.max(...[...text.matchAll(TIME)].map(([time]) => Date.parse(time)));
  const by = Date.now() - last;
  return text.replace(TIME, (time) => new Date(Date.parse(time) + by).toISOString());
}

/** Makes what exists from the beginning; objects of this cluster have other uids than the recorded ones. */
async function furnish(scene: Scene, lines: readonly Line[]) {
  const { cluster } = scene;
  await cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  const uids = new Map<string, string>();
  const renamed = (text: string) => [...uids].reduce((all, [from, to]) => all.replaceAll(from, to), text);
  let pod: KubeObject | undefined;
  for (const line of lines) {
    if (line.line !== 'object') continue;
    const object = JSON.parse(renamed(JSON.stringify(line.object))) as KubeObject;
    const { uid, ...metadata } = object.metadata;
    const kind = KIND[object.kind as 'Namespace' | 'DaemonSet' | 'Pod'];
    const { name = '', namespace } = metadata;
    const made: KubeObject =
      (await cluster.get(kind, { name, namespace })) ?? (await cluster.create(kind, { ...object, metadata }));
    if (uid !== undefined) uids.set(uid, made.metadata.uid as string);
    if (object.kind === 'Pod' && namespace === 'shop')
      pod = { ...object, metadata: made.metadata } as KubeObject;
  }
  if (!pod) throw new Error('The recording has no pod.');
  const { uid, name } = pod.metadata;
  await eventually(
    async () =>
      (await cluster.get(KIND.Pod, { namespace: 'shop', name: name as string }))?.metadata.uid === uid ||
      undefined,
    'pod',
  );
  return { pod, renamed };
}

function latin(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}
