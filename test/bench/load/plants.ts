import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentProcess } from './agent-process.ts';
import type { ControlSide } from './control-side.ts';
import type { Grounds } from './grounds.ts';
import type { Storms } from './storm.ts';

export interface PlantsOptions {
  grounds: Grounds;
  control: ControlSide;
  storms: Storms;
  /** A stand-in under a listed name. */
  program: string;
}

/** A container shows 64 programs apart; the next ones go into another pod. */
const A_POD = 10;
const A_SECOND = 2;
const FILL_POD = 50;
const FILL_A_SECOND = 200;

/** How long everything may take to arrive after the last fault, milliseconds. */
const PATIENCE_MS = 90_000;

/** Planted miners, each with an argument of its own, in pods that exist as long as they are planted. */
export class Plants {
  readonly #options: PlantsOptions;
  /** Arguments of all that were started. */
  readonly #planted = new Set<string>();
  #pods = 0;

  constructor(options: PlantsOptions) {
    this.#options = options;
  }

  async plantUntil(over: AbortSignal): Promise<void> {
    while (!over.aborted) await this.#plant(A_POD, A_SECOND);
  }

  async plant(count: number, rate: number): Promise<void> {
    for (let left = count; left > 0; left -= A_POD) await this.#plant(Math.min(left, A_POD), rate);
  }

  /** Plants so many while the network is cut, which must be more than the disk holds; resolves when all is well again. */
  async fillDisk(count: number, agent: AgentProcess): Promise<void> {
    const { control } = this.#options;
    control.network = 'cut';
    for (let left = count; left > 0; left -= FILL_POD) await this.#plant(FILL_POD, FILL_A_SECOND);
    control.network = 'open';
    await this.#emptied(agent);
  }

  /** Waits until what was planted is acknowledged, as far as the agent still has it. */
  settled(agent: AgentProcess): Promise<boolean> {
    return this.#emptied(agent);
  }

  outcome() {
    const arrived = new Set(
      [...this.#options.control.acknowledged.values()].flatMap(({ process }) => process.argv),
    );
    const missing = [...this.#planted].filter((argument) => !arrived.has(argument)).length;
    return {
      planted: this.#planted.size,
      pods: this.#pods,
      acknowledged: this.#planted.size - missing,
      missing,
    };
  }

  async #emptied(agent: AgentProcess): Promise<boolean> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let emptyFor = 0; performance.now() < deadline; await pause(500)) {
      emptyFor = (await agent.counts()).get('spool_pending') === 0 ? emptyFor + 1 : 0;
      if (emptyFor === 3) return true;
    }
    return false;
  }

  async #plant(count: number, rate: number): Promise<void> {
    const { grounds, control, storms, program } = this.#options;
    const name = `worker-${this.#pods++}`;
    const uid = await control.makePod(name);
    const cgroup = grounds.container(uid, randomBytes(32).toString('hex'));
    // Below a device nothing can be made, so that the stand-in leaves no file.
    const prefix = `/dev/null/${name}-`;
    const { sent } = await storms.run({ kind: 'exec', rate, count, cgroup, program, prefix });
    for (let number = 0; number < sent; number++) this.#planted.add(`${prefix}${number}`);
    await grounds.remove(grounds.child(`kubepods/besteffort/pod${uid}`));
  }
}
