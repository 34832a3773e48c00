import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Detection } from '../../api/detection.ts';
import type { KubeObject } from '../../api/object.ts';
import { EventView } from '../../bpf/event-view.ts';
import type { Indicators } from '../../detection/indicators.ts';
import { Binaries } from '../../runtime/binary.ts';
import { CgroupTree } from '../../runtime/cgroup-tree.ts';
import { Containers } from '../../runtime/containers.ts';
import { Correlator } from '../../runtime/correlator.ts';
import { Departures } from '../../runtime/departures.ts';
import type { Enforcer } from '../../runtime/enforce.ts';
import { Images } from '../../runtime/image.ts';
import type { KernelClock } from '../../runtime/kernel-clock.ts';
import { Pods } from '../../runtime/pods.ts';
import { ProcFs } from '../../runtime/proc-fs.ts';
import { Processes } from '../../runtime/processes.ts';
import { Scope } from '../../runtime/scope.ts';
import { ScriptFiles } from '../../runtime/script-files.ts';
import { SettingsFiles } from '../../runtime/settings-files.ts';
import { Suspicions } from '../../runtime/suspicions.ts';
import { Watch } from '../../runtime/watch.ts';

/** Acts on nothing: the processes of a recording are gone. */
const ENFORCER = {
  cgroupMade: () => {},
  cgroupRemoved: () => {},
  domain: () => undefined,
  stop: () => 'none',
} as unknown as Enforcer;

/** The agent's tables and detectors, fed with recorded events in place of a kernel; /proc and cgroups are empty. */
export class ReplayedKernel {
  readonly #folder = mkdtempSync(join(tmpdir(), 'kubesentry-golden-'));
  readonly #watch: Watch;
  readonly #suspicions: Suspicions;
  readonly #correlator: Correlator;
  readonly #latest = new Map<string, Detection>();

  constructor(node: string, pod: KubeObject, indicators: Indicators) {
    const proc = new ProcFs(this.#folder);
    writeFileSync(join(this.#folder, 'uptime'), '0.0 0.0\n');
    const v2 = new CgroupTree({ root: this.#folder, id: 0 });
    const pods = new Pods();
    pods.set(pod);
    const containers = new Containers({ v2, v1: undefined, pods, proc });
    const processes = new Processes(proc, new Images(proc), containers, () => undefined);
    this.#correlator = new Correlator({
      node,
      processes,
      describe: (container) => containers.describe(container),
      emit: (detection) => this.#latest.set(detection.id, detection),
      repeatInterval: 1000,
    });
    const binaries = new Binaries({ proc });
    const correlator = this.#correlator;
    this.#suspicions = new Suspicions({
      binaries,
      enforcer: ENFORCER,
      correlator,
      hashes: indicators.hashes,
    });
    const now = Date.now();
    this.#watch = new Watch({
      scope: new Scope(v2, undefined),
      v2,
      v1: undefined,
      proc,
      processes,
      suspicions: this.#suspicions,
      settingsFiles: new SettingsFiles({ proc, indicators }),
      scriptFiles: new ScriptFiles(proc),
      correlator,
      departures: new Departures(() => false),
      enforcer: ENFORCER,
      clock: { epoch: () => now } as unknown as KernelClock,
      indicators,
      knownExecs: { add: () => {} },
      forgetKnownExecs: () => {},
    });
  }

  play(events: readonly Buffer[]): void {
    for (const event of events) this.#watch.visit(new EventView(Uint8Array.from(event)).at(0));
  }

  /** What the agent would report by now. */
  async detections(): Promise<Detection[]> {
    await this.#suspicions.settled();
    this.#correlator.flush(Number.POSITIVE_INFINITY);
    return [...this.#latest.values()];
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
