import type { Detection } from '../api/detection.ts';
import type { AgentOptions } from './agent.ts';
import type { Log } from './log.ts';
import { Reporter, type ReporterOptions, type ReporterStats } from './reporter.ts';
import { Spool, type SpoolStats } from './spool.ts';

/** Between two lines about the same trouble, milliseconds. */
const QUIET_MS = 10_000;

/** The way of a detection to the webhook: on disk first, then sent until it is acknowledged. */
export class Delivery {
  readonly #spool: Spool;
  readonly #reporter: Reporter;
  readonly #log: Log;
  #lossTold = Number.NEGATIVE_INFINITY;

  private constructor(spool: Spool, reporter: Reporter, log: Log) {
    this.#spool = spool;
    this.#reporter = reporter;
    this.#log = log;
  }

  /** Begins at once with what an earlier run left. Raises SPOOL_UNUSABLE. */
  static async open(
    webhook: NonNullable<AgentOptions['webhook']>,
    node: string,
    log: Log,
    told: Pick<ReporterOptions, 'state' | 'onHabits'> = {},
  ): Promise<Delivery> {
    const spool = await Spool.open(webhook.spool, webhook.spoolLimit);
    const reporter = new Reporter({ ...webhook, ...told, node, spool, log });
    reporter.start();
    return new Delivery(spool, reporter, log);
  }

  get stats(): { reporter: ReporterStats; spool: SpoolStats } {
    return { reporter: this.#reporter.stats, spool: this.#spool.stats };
  }

  take(detection: Detection): void {
    this.#spool.put(detection).then(
      (isKept) => {
        if (isKept) this.#reporter.wake();
        else this.#tellLoss('the spool is full', undefined);
      },
      (error: unknown) => this.#tellLoss('the spool cannot be written', error),
    );
  }

  /** The state of the node is worth a report. */
  stateChanged(): void {
    this.#reporter.stateChanged();
  }

  /** A full disk fails a hundred times a second; the counts are in the metrics. */
  #tellLoss(why: string, err: unknown): void {
    const now = performance.now();
    if (now - this.#lossTold < QUIET_MS) return;
    this.#lossTold = now;
    const { lost, outdated, pending } = this.#spool.stats;
    this.#log.error(
      { err, lost, outdated, pending },
      `${why}: detections are lost and counted until there is room again; said once in ${QUIET_MS / 1000} s`,
    );
  }

  /** Sends nothing more; what is not acknowledged stays on disk. */
  async close(): Promise<void> {
    await this.#reporter.close();
    await this.#spool.close();
  }
}
