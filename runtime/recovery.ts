import type { EventView } from '../bpf/event-view.ts';
import type { Processes } from './processes.ts';

export interface RecoveryOptions {
  /** Exec events that the ring had no room for, since the start. */
  lost: () => number;
  /** Hands on what waits in the ring: it tells of cgroups, and of what processes were before. */
  catchUp: () => void;
  /** Hands every process that runs to `visit`. */
  snapshot: (visit: (event: EventView) => void) => void;
  processes: Pick<Processes, 'peek'>;
  visit: (event: EventView) => void;
}

/**
 * Who floods the ring may start something meanwhile that finds no room in it. What still runs afterwards is found and
 * judged like what ran before us, so that a flood hides only what is gone by then.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  #recovered = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Looks whether something was lost since the last time. */
  look(): void {
    const { lost, catchUp, snapshot, processes, visit } = this.#options;
    const now = lost();
    if (now === this.#recovered) return;
    this.#recovered = now;
    catchUp();
    snapshot((event) => {
      if (processes.peek(event)?.image.inode !== Number(event.inode)) visit(event);
    });
  }
}
