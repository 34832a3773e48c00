import { Agent, request } from 'undici';
import type { DetectionReport, DetectionReportAnswer } from '../api/detection.ts';
import { KubesentryError } from '../api/errors.ts';
import { API_VERSION } from '../api/names.ts';
import type { Habit, NodeState } from '../api/node-state.ts';
import type { Log } from './log.ts';
import type { Spool, Spooled } from './spool.ts';

export interface ReporterOptions {
  node: string;
  /** Address of the webhook, such as https://kubesentry.kubesentry-system.svc. */
  url: string;
  /** The CA bundle in PEM, asked for before each report since it may be rotated; the system's when undefined. */
  ca: () => Promise<string | undefined>;
  /** The bearer token, asked for before each report since the kubelet replaces it. */
  token: () => Promise<string | undefined>;
  spool: Spool;
  log: Log;
  /** How the node is; told once a minute, and when `wake` says that it has changed. */
  state?: (() => NodeState | undefined) | undefined;
  /** Gets what other nodes have learned. */
  onHabits?: ((habits: readonly Habit[]) => void) | undefined;
  /** 0 to 1, for jitter. */
  random?: () => number;
  /** First and longest pause between attempts, milliseconds. */
  retry?: { first: number; longest: number };
}

export interface ReporterStats {
  acknowledged: number;
  /** Refused for good by the webhook, each with its reason in the log. */
  rejected: number;
  /** Attempts that failed and are repeated. */
  failures: number;
}

/** The most that the webhook takes in one report, and a body that stays below its limit. */
const BATCH = 500;
const BATCH_BYTES = 512 * 1024;
const TIMEOUT_MS = 10_000;
const STATE_MS = 60_000;
const LONGEST_RETRY_AFTER = 60;

/** Answers that say that the body is at fault, so that the same body need not be sent again. */
const UNREADABLE: ReadonlySet<number> = new Set([400, 413, 422]);

/**
 * Sends what the spool keeps to the webhook, oldest first, until it is acknowledged. One report is under way at
 * a time; `wake` starts one at once. Failures are repeated after a pause that doubles, with jitter.
 */
export class Reporter {
  readonly stats: ReporterStats = { acknowledged: 0, rejected: 0, failures: 0 };
  readonly #options: ReporterOptions;
  readonly #retry: { first: number; longest: number };
  readonly #closing = new AbortController();
  #connection: { ca: string | undefined; agent: Agent } | undefined;
  #batch = BATCH;
  /** For how long the webhook asked to be left alone, milliseconds. */
  #retryAfterMs = 0;
  #awake: () => void = () => {};
  #wanted = true;
  /** Whether the state of the node is to be told with the next report. */
  #isStateDue = true;
  #heartbeat: NodeJS.Timeout | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#retry = options.retry ?? { first: 200, longest: 30_000 };
  }

  start(): void {
    this.#loop = this.#run();
    if (this.#options.state) this.#heartbeat = setInterval(() => this.stateChanged(), STATE_MS);
  }

  /** The state of the node is worth a report. */
  stateChanged(): void {
    this.#isStateDue = true;
    this.wake();
  }

  /** There is something to send. */
  wake(): void {
    this.#wanted = true;
    this.#awake();
  }

  /** Ends at once; what is not acknowledged stays in the spool. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#heartbeat);
    this.#awake();
    await this.#loop;
    await this.#connection?.agent.destroy();
  }

  async #run(): Promise<void> {
    let pause = 0;
    while (!this.#closing.signal.aborted) {
      await this.#sleep(pause);
      if (this.#closing.signal.aborted) return;
      this.#retryAfterMs = 0;
      try {
        await this.#sendAll();
        pause = 0;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.stats.failures++;
        const backoff = Math.min(Math.max(pause * 2, this.#retry.first), this.#retry.longest);
        // The jitter takes away up to half of it.
        const wait = Math.max(backoff, 2 * this.#retryAfterMs);
        this.#options.log.warn(
          { reason: reasonOf(error), pending: this.#options.spool.stats.pending, retryInMs: wait },
          'the webhook did not take the detections; they are kept and sent again',
        );
        pause = wait;
      }
    }
  }

  /** Until `wake`, or for about `pause` milliseconds after a failure, whatever comes meanwhile. */
  async #sleep(pause: number): Promise<void> {
    if (pause === 0 && this.#wanted) return;
    const random = this.#options.random ?? Math.random;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = pause > 0 ? setTimeout(resolve, pause * (0.5 + random() / 2)) : undefined;
    this.#awake = () => {
      if (pause === 0 || this.#closing.signal.aborted) resolve();
    };
    await promise;
    clearTimeout(timer);
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      this.#wanted = false;
      const batch = await this.#options.spool.oldest(this.#batch, BATCH_BYTES);
      const state = this.#isStateDue ? this.#options.state?.() : undefined;
      if (batch.length === 0 && !state) return;
      await this.#send(batch, state);
      if (this.#closing.signal.aborted) return;
    }
  }

  async #send(batch: readonly Spooled[], state: NodeState | undefined): Promise<void> {
    const { node, url, token } = this.#options;
    const report: DetectionReport = {
      apiVersion: API_VERSION,
      kind: 'DetectionReport',
      node,
      detections: batch.map(({ detection }) => detection),
      ...(state && { state }),
    };
    const bearer = await token();
    const response = await request(new URL('/v1/detections', url), {
      method: 'POST',
      dispatcher: await this.#dispatcher(),
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        'content-type': 'application/json',
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer.trim()}` }),
      },
      body: JSON.stringify(report),
    });
    const text = await response.body.text();
    const { statusCode, headers } = response;
    const [first] = batch;
    if (statusCode === 200) {
      const answer = JSON.parse(text) as DetectionReportAnswer;
      if (state) this.#isStateDue = false;
      if (answer.habits) this.#options.onHabits?.(answer.habits);
      if (batch.length > 0) await this.#settle(batch, answer);
    } else if (UNREADABLE.has(statusCode) && first && batch.length === 1) {
      await this.#reject(first, `${statusCode}`, text.slice(0, 200));
    } else if (UNREADABLE.has(statusCode)) {
      // One detection that the webhook cannot read must not hold up the others.
      this.#batch = batch.length >> 1;
    } else {
      this.#retryAfterMs = retryAfterMs(headers['retry-after']);
      throw new KubesentryError('NOT_READY', `The webhook answered ${statusCode}: ${text.slice(0, 200)}`);
    }
  }

  async #settle(batch: readonly Spooled[], answer: DetectionReportAnswer): Promise<void> {
    const acknowledged = new Set(answer.acknowledged);
    const taken = batch.filter(({ id }) => acknowledged.has(id));
    this.stats.acknowledged += taken.length;
    await this.#options.spool.remove(taken);
    const reasons = new Map(answer.rejected.map((rejection) => [rejection.id, rejection]));
    for (const spooled of batch) {
      const rejection = reasons.get(spooled.id);
      if (rejection) await this.#reject(spooled, rejection.code, rejection.message);
    }
    this.#batch = Math.min(BATCH, this.#batch * 2);
    if (taken.length === 0 && reasons.size === 0) {
      throw new KubesentryError('NOT_READY', 'The webhook acknowledged nothing.');
    }
  }

  async #reject(spooled: Spooled, code: string, message: string): Promise<void> {
    this.stats.rejected++;
    this.#options.log.error(
      { detection: spooled.id, rule: spooled.detection.rule, code, reason: message },
      'the webhook refuses this detection for good; it is dropped',
    );
    await this.#options.spool.remove([spooled]);
  }

  /** Keeps connections alive; a rotated CA gets a new pool. */
  async #dispatcher(): Promise<Agent> {
    const ca = await this.#options.ca();
    if (this.#connection && this.#connection.ca === ca) return this.#connection.agent;
    await this.#connection?.agent.destroy();
    const agent = new Agent({
      connections: 1,
      keepAliveTimeout: 60_000,
      // One report at a time has nothing to share a connection with, and HTTP/2 costs the webhook more memory for each.
      allowH2: false,
      connect: ca === undefined ? {} : { ca },
    });
    this.#connection = { ca, agent };
    return agent;
  }
}

/** Seconds; what asks for more, or for a date, is not believed: a webhook that is well again must not wait for its agents. */
function retryAfterMs(header: string | string[] | undefined): number {
  const seconds = Number(header ?? 0);
  return seconds > 0 ? Math.min(seconds, LONGEST_RETRY_AFTER) * 1000 : 0;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return error.message || code || error.name;
}
