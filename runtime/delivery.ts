import type { Detection } from '../api/detection.ts';
import type { AgentOptions } from './agent.ts';
import type { Log } from './log.ts';
import { Reporter, type ReporterStats } from './reporter.ts';
import { Spool, type SpoolStats } from './spool.ts';

/** The way of a detection to the webhook: on disk first, then sent until it is acknowledged. */
export class Delivery {
  readonly #spool: Spool;
  readonly #reporter: Reporter;
  readonly #log: Log;

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
  ): Promise<Delivery> {
    const spool = await Spool.open(webhook.spool, webhook.spoolLimit);
    const reporter = new Reporter({ ...webhook, node, spool, log });
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
        else
          this.#log.error(
            { detection: detection.id },
            'the spool is full; this detection is lost and counted',
          );
      },
      (error: unknown) =>
        this.#log.error({ err: error }, 'a detection could not be kept; it is lost and counted'),
    );
  }

  /** Sends nothing more; what is not acknowledged stays on disk. */
  async close(): Promise<void> {
    await this.#reporter.close();
    await this.#spool.close();
  }
}
