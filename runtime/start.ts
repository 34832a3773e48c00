import type { Detection } from '../api/detection.ts';
import type { FamilyState } from '../bpf/programs.ts';
import type { Indicators } from '../detection/indicators.ts';
import type { Cluster } from '../kube/cluster.ts';
import { Binaries, type BinaryStats } from './binary.ts';
import { CgroupTree, findHierarchies } from './cgroup-tree.ts';
import { watchCluster } from './cluster-watch.ts';
import { Containers } from './containers.ts';
import { Correlator, type CorrelatorStats } from './correlator.ts';
import { CpuWatch } from './cpu-watch.ts';
import { Enforcer } from './enforce.ts';
import { Images } from './image.ts';
import { KernelClock } from './kernel-clock.ts';
import type { Log } from './log.ts';
import { Pods } from './pods.ts';
import { type EnforceMode, standalonePolicy } from './policy.ts';
import { ProcFs } from './proc-fs.ts';
import { Processes } from './processes.ts';
import { Reporter, type ReporterStats } from './reporter.ts';
import { Scope } from './scope.ts';
import { Sensor, type SensorStats } from './sensor.ts';
import { Spool, type SpoolStats } from './spool.ts';
import { Watch } from './watch.ts';

export interface AgentOptions {
  /** Name of the node, as the cluster has it. */
  node: string;
  indicators: Indicators;
  log: Log;
  /** Where pods, policies and quarantines come from; without it the agent works alone. */
  cluster?: Cluster | undefined;
  /** Where detections go. They wait in the `spool` folder until they are acknowledged. */
  webhook?:
    | {
        url: string;
        /** PEM; the system's CAs when undefined. Asked for before each report. */
        ca: () => Promise<string | undefined>;
        /** Asked for before each report. */
        token: () => Promise<string | undefined>;
        spool: string;
        spoolLimit?: number | undefined;
      }
    | undefined;
  /** Gets every detection, and every newer version of one. */
  onDetection?: ((detection: Detection) => void) | undefined;
  /** Whether to act; a policy of the cluster can switch it on too. */
  mode?: EnforceMode | undefined;
  /** Only this cgroup and what is below it. */
  cgroup?: string | undefined;
  /** Where the node's /proc is seen; /proc by default. */
  procRoot?: string | undefined;
  /** Where the node's /sys/fs/cgroup is seen; found out by default. */
  cgroupRoot?: string | undefined;
  /** Milliseconds between versions of a detection that differ in `repeats` only; 1000 by default. */
  repeatInterval?: number | undefined;
  /** Bytes of the ring buffer, a power of two. */
  ringBytes?: number | undefined;
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined;
}

export interface AgentStats {
  sensor: SensorStats;
  correlator: CorrelatorStats;
  binaries: BinaryStats;
  processes: number;
  /** Exec events of the watched cgroups, since the start. */
  executions: number;
  reporter: ReporterStats | undefined;
  spool: SpoolStats | undefined;
}

export interface Agent {
  /** What of the sensor works on this kernel. */
  readonly families: readonly FamilyState[];
  stats(): AgentStats;
  /** Takes every program out of the kernel and sends nothing more; what is not acknowledged stays on disk. */
  close(): Promise<void>;
}

const TICK_MS = 100;
const CPU_MS = 10_000;

/**
 * Starts watching this node. Raises KERNEL_UNSUPPORTED, PRIVILEGE_MISSING, SPOOL_UNUSABLE, or USAGE for a cgroup that
 * does not exist. When it resolves every program is attached and what ran before is judged.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { node, indicators, log, cluster, webhook, now = Date.now } = options;
  const proc = new ProcFs(options.procRoot);
  const hierarchies = findHierarchies(proc.root, options.cgroupRoot);

  const spool = webhook && (await Spool.open(webhook.spool, webhook.spoolLimit));
  const sensor = Sensor.load({ hierarchies, ringBytes: options.ringBytes });
  const closers: (() => unknown)[] = [() => sensor.close()];
  try {
    const reporter = webhook && spool && new Reporter({ ...webhook, node, spool, log });
    const keep = (detection: Detection): void => {
      options.onDetection?.(detection);
      if (!spool || !reporter) return;
      spool.put(detection).then(
        (isKept) => {
          if (isKept) reporter.wake();
          else log.error({ detection: detection.id }, 'the spool is full; this detection is lost');
        },
        (error: unknown) => log.error({ err: error }, 'a detection could not be kept'),
      );
    };

    // The programs run already: what changes while the tables are filled comes as events afterwards.
    const v2 = hierarchies.v2 && new CgroupTree(hierarchies.v2);
    const v1 = hierarchies.v1 && new CgroupTree(hierarchies.v1);
    const scope = new Scope(v2 ?? v1, options.cgroup);
    const pods = new Pods();
    const containers = new Containers({ v2, v1, pods, proc });
    const processes = new Processes(proc, new Images(proc), containers);
    const correlator = new Correlator({
      node,
      processes,
      describe: (container) => containers.describe(container),
      emit: keep,
      repeatInterval: options.repeatInterval ?? 1000,
    });
    const binaries = new Binaries({ proc });
    const { control } = sensor.programs;
    const enforcer = new Enforcer({
      control,
      containers,
      pods,
      proc,
      scope: scope.id === undefined ? undefined : { id: scope.id, version: v2 ? 2 : 1 },
      log,
    });
    for (const [tree, version] of [[v2, 2] as const, [v1, 1] as const]) {
      for (const [id, path] of tree?.entries() ?? []) enforcer.cgroupMade({ id, version }, path);
    }
    const base = standalonePolicy(options.mode ?? 'detect', indicators);
    enforcer.apply(base);

    const clock = new KernelClock(now, proc.root);
    const parts = { scope, containers, processes, correlator, enforcer, clock, indicators };
    const watch = new Watch({ ...parts, v2, v1, binaries });
    const tree = v2 ?? v1;
    const cpu =
      tree && new CpuWatch({ tree, mounts: hierarchies.cpu, scope, containers, processes, proc, correlator });

    if (cluster) {
      const following = await watchCluster({ cluster, node, base, pods, enforcer, watch, log });
      closers.unshift(() => following.close());
    }
    sensor.snapshot('processes', watch.visit);
    sensor.snapshot('sockets', watch.visit);
    sensor.start(watch.visit);
    reporter?.start();
    const ticking = setInterval(() => correlator.flush(now()), TICK_MS);
    const sampling = setInterval(() => cpu?.sample(now()), CPU_MS);
    cpu?.sample(now());

    closers.unshift(async () => {
      clearInterval(ticking);
      clearInterval(sampling);
      await watch.settle();
      correlator.flush(Number.POSITIVE_INFINITY);
      await reporter?.close();
      await spool?.close();
    });

    return {
      families: sensor.families,
      stats: () => ({
        sensor: sensor.stats,
        correlator: correlator.stats,
        binaries: binaries.stats,
        processes: processes.size,
        executions: watch.executions,
        reporter: reporter?.stats,
        spool: spool?.stats,
      }),
      close: () => closeAll(closers),
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function closeAll(closers: (() => unknown)[]): Promise<void> {
  for (const close of closers.splice(0)) await close();
}
