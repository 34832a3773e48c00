import { readFileSync } from 'node:fs';
import { EventView, eachEvent } from '../../bpf/event-view.ts';
import { EVENT, type EventName } from '../../bpf/events.ts';
import { Programs, type ProgramsOptions } from '../../bpf/programs.ts';

/** Mount point of cgroup v2: apart on hybrid hosts, /sys/fs/cgroup on others. */
export function cgroupRoot(): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const mount = mounts.find((line) => line.includes(' - cgroup2 '));
  if (!mount) throw new Error('There is no cgroup v2 mount here.');
  return mount.split(' ')[4] ?? '';
}

/** The real programs on this kernel, and every event since they started. */
export class Recorder implements Disposable {
  readonly programs: Programs;
  readonly events: EventView[] = [];
  readonly #ring: Disposable;
  #waiting: { look: () => boolean; wake: () => void }[] = [];

  constructor(options: Partial<ProgramsOptions> = {}) {
    this.programs = Programs.load({ cgroupRoot: cgroupRoot(), ...options });
    const slab = Buffer.alloc(256 * 1024);
    const view = new EventView(slab);
    this.#ring = this.programs.openRing(slab, (_count, bytes) => {
      eachEvent(view, bytes, ({ offset, size }) => {
        this.events.push(new EventView(Buffer.from(slab.subarray(offset, offset + size))));
      });
      this.#waiting = this.#waiting.filter(({ look, wake }) => {
        const isThere = look();
        if (isThere) wake();
        return !isThere;
      });
    });
  }

  find(name: EventName, matches: (event: EventView) => boolean): EventView | undefined {
    return this.events.find((event) => event.type === EVENT[name] && matches(event));
  }

  /** Resolves with the first such event, which may have been there already. The test's own time limit bounds it. */
  async seen(name: EventName, matches: (event: EventView) => boolean): Promise<EventView> {
    const look = () => this.find(name, matches);
    const early = look();
    if (early) return early;
    await new Promise<void>((wake) => this.#waiting.push({ look: () => look() !== undefined, wake }));
    return look() as EventView;
  }

  [Symbol.dispose](): void {
    this.#ring[Symbol.dispose]();
    this.programs.close();
  }
}
