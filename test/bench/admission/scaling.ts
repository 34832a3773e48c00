/**
 * What one review costs in the webhook, without the network, by how many indicators the policies add, how many bans
 * are in force, and how large the object is. Prints CostCurves as one JSON line; the median of many reviews, in
 * microseconds.
 */
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { loadIndicators } from '../../../detection/load.ts';
import { KIND } from '../../../kube/kind.ts';
import { MemoryCluster } from '../../../kube/memory/cluster.ts';
import { Reviewer } from '../../../webhook/admission/reviewer.ts';
import { stdoutLog } from '../../../webhook/log.ts';
import { Metrics } from '../../../webhook/metrics.ts';
import { ClusterView } from '../../../webhook/view.ts';
import { mixedReview, type Review, sizedReview } from './reviews.ts';

interface Point {
  size: number;
  microseconds: number;
}
export type CostCurves = Record<'indicators' | 'bans' | 'bytes', Point[]>;

const BANS_PER_QUARANTINE = 50;
const indicators = await loadIndicators();
const log = stdoutLog('silent');

async function measure(cluster: MemoryCluster, make: (index: number) => Review, reviews: number) {
  const view = new ClusterView({ cluster, indicators, onError: (error) => log.error(error) });
  await view.synced;
  const reviewer = new Reviewer({
    view,
    recorder: { record: () => {} },
    metrics: new Metrics(),
    log,
    clock: () => new Date(),
    onOverrule: () => {},
  });
  const times: number[] = [];
  for (let index = 0; index < reviews * 2; index++) {
    const { body } = make(index);
    const began = performance.now();
    reviewer.review({ bytes: body, end: 'complete' }, began);
    if (index >= reviews) times.push((performance.now() - began) * 1000);
  }
  await view.close();
  return Math.round(times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0);
}

async function byIndicators(count: number): Promise<Point> {
  const cluster = new MemoryCluster({});
  await cluster.create(KIND.Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: SYSTEM_NAMESPACE },
  });
  const names = (kind: string) =>
    Array.from({ length: Math.ceil(count / 4) }, (_, at) => `${kind}${at}.example.net`);
  await cluster.create(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: { name: 'bench', namespace: SYSTEM_NAMESPACE },
    spec: {
      indicators: {
        names: names('worker'),
        pools: names('pool'),
        images: names('image'),
        addresses: Array.from(
          { length: Math.ceil(count / 4) },
          (_, at) => `100.${64 + (at >> 14)}.${(at >> 6) & 255}.${(at & 63) * 4}/30`,
        ),
      },
    },
  });
  return { size: count, microseconds: await measure(cluster, mixedReview, 3000) };
}

async function byBans(count: number): Promise<Point> {
  const cluster = new MemoryCluster({});
  for (let from = 0; from < count; from += BANS_PER_QUARANTINE) {
    await cluster.create(KIND.Quarantine, {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'Quarantine',
      metadata: { name: `bench-${from}` },
      spec: {
        namespace: `attacked-${from}`,
        reason: 'bench',
        requestedBy: 'kubesentry',
        bans: Array.from({ length: Math.min(BANS_PER_QUARANTINE, count - from) }, (_, at) => ({
          facet: 'template' as const,
          value: `sha256:${(from + at).toString(16).padStart(64, '0')}`,
          reason: 'bench',
        })),
      },
    });
  }
  return { size: count, microseconds: await measure(cluster, mixedReview, 3000) };
}

const curves: CostCurves = { indicators: [], bans: [], bytes: [] };
for (const count of [0, 10, 1000, 10_000, 100_000]) curves.indicators.push(await byIndicators(count));
for (const count of [0, 10, 100, 1000, 10_000]) curves.bans.push(await byBans(count));
for (const bytes of [4_000, 16_000, 64_000, 256_000, 1_000_000, 2_000_000]) {
  const make = (index: number) => sizedReview(index, bytes);
  const microseconds = await measure(new MemoryCluster({}), make, bytes > 100_000 ? 60 : 1000);
  curves.bytes.push({ size: bytes, microseconds });
}
console.log(JSON.stringify(curves));
process.exit(0);
