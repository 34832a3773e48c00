import { join } from 'node:path';
import { VERSION } from '../api/names.ts';
import type { Habit, NodeState } from '../api/node-state.ts';
import { abilitiesOf } from './abilities.ts';
import type { Agent, AgentOptions, AgentStats } from './agent.ts';
import { Binaries } from './binary.ts';
import { CgroupTree, findHierarchies } from './cgroup-tree.ts';
import { watchCluster } from './cluster-watch.ts';
import { Containers } from './containers.ts';
import { Correlator } from './correlator.ts';
import { CpuWatch } from './cpu-watch.ts';
import { Delivery } from './delivery.ts';
import { Departures } from './departures.ts';
import { Enforcer } from './enforce.ts';
import { Freezer } from './freezer.ts';
import { Images } from './image.ts';
import { KernelClock } from './kernel-clock.ts';
import { lossesOf } from './losses.ts';
import { Pods } from './pods.ts';
import { standalonePolicy } from './policy.ts';
import { ProcFs } from './proc-fs.ts';
import { Processes } from './processes.ts';
import { Recovery } from './recovery.ts';
import { Scope } from './scope.ts';
import { ScriptFiles } from './script-files.ts';
import { Sensor } from './sensor.ts';
import { SettingsFiles } from './settings-files.ts';
import { Suspicions } from './suspicions.ts';
import { Watch } from './watch.ts';

export type { Agent, AgentOptions, AgentStats } from './agent.ts';

/** How often counts that wait are looked at, and CPU time is read. */
const FLUSH_MS = 50;
const CPU_MS = 10_000;
/** How often is looked which cgroups are gone for long enough to be forgotten. */
const DEPARTED_MS = 1000;
/** How soon the webhook hears that egress is cut, or open again. */
const CUTS_MS = 500;
/** How soon what the ring had no room for is looked for. */
const RECOVERY_MS = 2000;

/**
 * Starts watching this node. Raises KERNEL_UNSUPPORTED, PRIVILEGE_MISSING, SPOOL_UNUSABLE, or USAGE for a cgroup that
 * does not exist. When it resolves every program is attached and what ran before is judged.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { node, indicators, log, cluster, webhook, onDetection, now = Date.now } = options;
  const proc = new ProcFs(options.procRoot);
  const hierarchies = findHierarchies(proc.root, options.cgroupRoot);

  /** Undoes what was begun, the last first. */
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const undo of closers.splice(0).reverse()) await undo();
  };
  try {
    let stateOfNode: (() => NodeState) | undefined;
    let learn: ((habits: readonly Habit[]) => void) | undefined;
    const delivery =
      webhook &&
      (await Delivery.open(webhook, node, log, {
        state: () => stateOfNode?.(),
        onHabits: (habits) => learn?.(habits),
      }));
    if (delivery) closers.push(() => delivery.close());
    const sensor = Sensor.load({ hierarchies, ringBytes: options.ringBytes, log });
    closers.push(() => sensor.close());

    // The programs run already: what changes while the tables are filled comes as events afterwards.
    const v2 = hierarchies.v2 && new CgroupTree(hierarchies.v2);
    const v1 = hierarchies.v1 && new CgroupTree(hierarchies.v1);
    const tree = v2 ?? v1;
    const scope = new Scope(tree, options.cgroup);
    const pods = new Pods();
    const containers = new Containers({ v2, v1, pods, proc });
    const { births, knownExecs, control } = sensor.programs;
    const processes = new Processes(proc, new Images(proc), containers, (pid, start) =>
      births.of(pid, start),
    );
    const correlator = new Correlator({
      node,
      processes,
      describe: (container) => containers.describe(container),
      emit: (detection) => {
        onDetection?.(detection);
        delivery?.take(detection);
      },
      repeatInterval: options.repeatInterval ?? 1000,
    });
    const freezer = new Freezer({
      mounts: { v2: hierarchies.v2?.root, v1: hierarchies.freezer },
      file: webhook && join(webhook.spool, 'frozen'),
      log,
    });
    closers.push(() => freezer.thaw(() => true));
    const enforcer = new Enforcer({
      control,
      containers,
      pods,
      proc,
      freezer,
      canCut: sensor.families.some(({ attached }) => attached.includes('on_egress')),
      scope: scope.id === undefined ? undefined : { id: scope.id, version: v2 ? 2 : 1 },
      log,
    });
    for (const [id, path] of v2?.entries() ?? []) enforcer.cgroupMade({ id, version: 2 }, path);
    for (const [id, path] of v1?.entries() ?? []) enforcer.cgroupMade({ id, version: 1 }, path);
    const base = standalonePolicy(options.mode ?? 'detect', indicators, options.stop);
    enforcer.apply(base);

    const binaries = new Binaries({ proc });
    const suspicions = new Suspicions({ binaries, enforcer, correlator, hashes: indicators.hashes });
    const settingsFiles = new SettingsFiles({ proc, indicators });
    const clock = new KernelClock(now, proc.root);
    const trees = [v2, v1].filter((one) => one !== undefined);
    const departures = new Departures((path) => trees.some((one) => one.idOf(path) !== undefined));
    const watch = new Watch({
      scope,
      v2,
      v1,
      proc,
      processes,
      suspicions,
      settingsFiles,
      scriptFiles: new ScriptFiles(proc),
      correlator,
      departures,
      enforcer,
      clock,
      indicators,
      knownExecs,
      forgetKnownExecs: () => control.forgetKnownExecs(),
    });
    const cpu =
      tree &&
      new CpuWatch({
        tree,
        mounts: hierarchies.cpu,
        scope,
        procRoot: proc.root,
        containers,
        processes,
        correlator,
      });
    departures.tell(...trees, scope, containers, correlator, settingsFiles, watch, ...(cpu ? [cpu] : []));
    closers.push(async () => {
      await suspicions.settled();
      correlator.flush(Number.POSITIVE_INFINITY);
    });

    if (cluster) {
      const following = await watchCluster({ cluster, node, base, pods, enforcer, watch, log });
      closers.push(() => following.close());
    }
    sensor.snapshot('processes', watch.visit);
    sensor.snapshot('connections', watch.visit);
    sensor.snapshot('sockets', watch.visit);
    sensor.start(watch.visit);
    cpu?.sample(now());
    const stats = (): AgentStats => ({
      sensor: sensor.stats,
      spending: sensor.programs
        .spending()
        .map((one) => ({ ...one, cgroup: containers.of(one.cgroupId, one.cgroupV1Id, 0).cgroup })),
      correlator: correlator.stats,
      binaries: binaries.stats,
      settingsFiles: { missed: settingsFiles.missed },
      processes: processes.size,
      executions: watch.executions,
      ...delivery?.stats,
    });
    const abilities = abilitiesOf(hierarchies, sensor.families, proc);
    stateOfNode = () => ({
      version: VERSION,
      abilities,
      ...enforcer.cuts(),
      lost: lossesOf(stats()),
      habits: cpu?.habits() ?? [],
    });
    learn = (habits) => cpu?.learn(habits);
    let told = '';
    const tellCuts = () => {
      const cuts = JSON.stringify(enforcer.cuts());
      if (cuts !== told) delivery?.stateChanged();
      told = cuts;
    };
    tellCuts();
    const recovery = new Recovery({
      lost: () => Number(sensor.programs.dropped().exec),
      catchUp: () => sensor.catchUp(),
      snapshot: (visit) => sensor.snapshot('processes', visit),
      processes,
      visit: watch.visit,
    });
    const timers = [
      setInterval(() => correlator.flush(now()), FLUSH_MS),
      setInterval(() => cpu?.sample(now()), CPU_MS),
      setInterval(() => departures.flush(now()), DEPARTED_MS),
      setInterval(tellCuts, CUTS_MS),
      setInterval(() => recovery.look(), RECOVERY_MS),
    ];
    closers.push(() => timers.forEach(clearInterval));

    return { families: sensor.families, abilities, stats, close };
  } catch (error) {
    await close();
    throw error;
  }
}
