import type { Detection } from '../api/detection.ts';
import type { Ability } from '../api/node-state.ts';
import type { FamilyState } from '../bpf/programs.ts';
import type { Spending } from '../bpf/spending.ts';
import type { Indicators } from '../detection/indicators.ts';
import type { Cluster } from '../kube/cluster.ts';
import type { BinaryStats } from './binary.ts';
import type { CorrelatorStats } from './correlator.ts';
import type { Log } from './log.ts';
import type { EnforceMode, Stop } from './policy.ts';
import type { ReporterStats } from './reporter.ts';
import type { SensorStats } from './sensor.ts';
import type { SettingsFiles } from './settings-files.ts';
import type { SpoolStats } from './spool.ts';

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
  /** How a miner is stopped where the agent acts; kill by default. */
  stop?: Stop | undefined;
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
  /** What of each cgroup was folded or dropped by the kernel; those that it remembers. */
  spending: (Spending & { cgroup: string })[];
  correlator: CorrelatorStats;
  binaries: BinaryStats;
  settingsFiles: Pick<SettingsFiles, 'missed'>;
  processes: number;
  /** Exec events of the watched cgroups, since the start. */
  executions: number;
  /** Only where detections are reported. */
  reporter?: ReporterStats;
  spool?: SpoolStats;
}

export interface Agent {
  /** What of the sensor works on this kernel. */
  readonly families: readonly FamilyState[];
  /** The same, with all else that the node can do, for people. */
  readonly abilities: readonly Ability[];
  stats(): AgentStats;
  /** Takes every program out of the kernel and sends nothing more; what is not acknowledged stays on disk. */
  close(): Promise<void>;
}
