import type { Incident } from '../../api/incident.ts';
import { Limiter, restAfter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Tracer } from '../trace.ts';
import { Turns } from '../turns.ts';
import type { ClusterView } from '../view.ts';
import { quarantineFor } from './contain.ts';
import { type Job, jobsOf } from './jobs.ts';
import { plan, type Step } from './plan.ts';
import { act } from './playbook/act.ts';
import type { Outcome } from './playbook/outcome.ts';
import { isMove, type Move } from './playbook/plan-playbook.ts';
import { perform, type StepTools } from './steps.ts';

export interface ResponseLoopOptions extends StepTools {
  view: ClusterView;
  metrics: Metrics;
  log: Log;
  tracer?: Tracer | undefined;
}

/** Names that a step is found by, in logs and traces. */
interface About {
  step: string;
  quarantine: string | undefined;
  incident: string | undefined;
  namespace: string | undefined;
  policy: string | undefined;
}

/** How often to look without being told, milliseconds: for what only time changes, and for steps that failed. */
const PERIOD_MS = 5_000;

/** What is worked on at a time, and what is contained at once beside it. */
const AT_ONCE = 4;

/** A containment that takes longer shows that the API server is busy, milliseconds. */
const BUSY_MS = 500;

/** Steps of which every agent hears, since they change a Quarantine. */
const HEARD_BY_AGENTS: ReadonlySet<string> = new Set(['activate', 'ban', 'detach', 'isolate', 'tell']);

/**
 * When a step that takes its time is looked at again, milliseconds; twice as long each time, up to the period. A pod may
 * wait for a finalizer for days.
 */
const PROGRESS_MS = 500;

/** Between two looks at everything while there is much to do: a thousand incidents change hundreds of times a second. */
const PAUSE_MS = 100;
/** The pause is at least so many times as long as the look, so that admission has the processor. */
const PAUSE_FACTOR = 9;

/**
 * The leader's loop: makes the cluster as it should be, after every change of what it depends on and every few
 * seconds. Level-triggered: what was missed while nobody led is done by whoever leads next. Every look at the cluster
 * makes the queue anew, the most urgent first, so that a new attack never waits for what was found before it.
 */
export class ResponseLoop {
  readonly #options: ResponseLoopOptions;
  readonly #unlisten: () => void;
  readonly #timer: NodeJS.Timeout;
  /** What is done at once and what the loop does must not get into each other's way. */
  readonly #turns = new Turns();
  readonly #urgent = new Limiter(AT_ONCE, Number.POSITIVE_INFINITY, restAfter(BUSY_MS));
  readonly #toAgents = new Limiter(AT_ONCE, Number.POSITIVE_INFINITY, restAfter(BUSY_MS));
  readonly #underWay = new Map<string, Promise<void>>();
  /** Incidents that were told a moment ago, by place, and when. */
  readonly #told = new Map<string, number>();
  /** By step and incident, when one that is not done yet is tried again, and after what pause that is. */
  readonly #paced = new Map<string, { until: number; ms: number }>();
  /** Places under way that there is more to do about. */
  readonly #again = new Set<string>();
  #queue: Job[] = [];
  #leads = false;
  #look: NodeJS.Timeout | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #lookTook = 0;

  constructor(options: ResponseLoopOptions) {
    this.#options = options;
    this.#unlisten = options.view.onResponseChange(() => this.wake());
    this.#timer = setInterval(() => this.wake(), PERIOD_MS);
    this.#timer.unref();
  }

  /** Whoever hears of it first loses no time, leader or not; the leader does what this leaves undone. */
  async containAtOnce(incident: Incident): Promise<void> {
    const { view, clock } = this.#options;
    const { policy, pods } = view;
    const quarantine = quarantineFor(incident, { policy, pods, now: clock() });
    if (!quarantine) return;
    const isOver = view.expectQuarantine(quarantine);
    try {
      await this.#turns.run(quarantine.spec.namespace, () =>
        this.#urgent.run(async () => {
          // More may have been reported while this one waited for its turn.
          const now = view.incidentNamed(incident.metadata.name ?? '')?.status?.phase;
          if (now === 'Confirmed') await this.#perform({ do: 'quarantine', quarantine, isCurrent: true });
        }),
      );
    } finally {
      isOver();
    }
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    this.#options.log.info({ leads }, leads ? 'leads the response' : 'no longer leads the response');
    if (leads) void this.#options.view.synced.then(() => this.wake());
    else this.#stop();
  }

  wake(): void {
    if (!this.#leads || this.#look) return;
    const due = this.#lookedAt + Math.max(PAUSE_MS, PAUSE_FACTOR * this.#lookTook) - performance.now();
    this.#look = setTimeout(() => this.#lookAtAll(), Math.max(0, due));
    this.#look.unref();
  }

  async close(): Promise<void> {
    this.#leads = false;
    this.#unlisten();
    clearInterval(this.#timer);
    this.#stop();
    await Promise.all(this.#underWay.values());
  }

  #stop(): void {
    clearTimeout(this.#look);
    this.#look = undefined;
    this.#queue = [];
  }

  #lookAtAll(): void {
    this.#look = undefined;
    if (!this.#isSynced()) return;
    const began = performance.now();
    const recently = began - PERIOD_MS;
    for (const [place, at] of this.#told) if (at < recently) this.#told.delete(place);
    for (const [deed, { until }] of this.#paced) if (until < recently) this.#paced.delete(deed);
    const due = this.#plan().filter((step) => (this.#paced.get(deedOf(step))?.until ?? 0) <= began);
    const jobs = jobsOf(due, this.#options.view);
    for (const { place } of jobs) if (this.#underWay.has(place)) this.#again.add(place);
    // What is contained at once tells by its writes that there is more to do.
    this.#queue = jobs.filter((job) => !this.#turns.isTaken(job.place) && !this.#wasToldJustNow(job));
    this.#lookedAt = performance.now();
    this.#lookTook = this.#lookedAt - began;
    this.#fill();
  }

  #fill(): void {
    while (this.#leads && this.#underWay.size < AT_ONCE) {
      const job = this.#queue.shift();
      if (!job) return;
      const done = this.#work(job).finally(() => {
        this.#underWay.delete(job.place);
        if (this.#again.delete(job.place)) this.wake();
        this.#fill();
      });
      this.#underWay.set(job.place, done);
    }
  }

  async #work({ place, steps }: Job): Promise<void> {
    await this.#turns.run(place, async () => {
      for (const step of steps) {
        if (!this.#leads) return;
        await this.#perform(step);
        // Somebody contains that place at once. Whoever may label pods there can make thousands of steps before.
        if (!this.#turns.isWaitedFor(place)) continue;
        this.#again.add(place);
        return;
      }
    });
    if (steps.some((step) => step.do === 'note')) this.#told.set(place, performance.now());
  }

  /** In a storm evidence comes every moment; telling it anew each time would cost as many writes as the evidence. */
  #wasToldJustNow({ place, steps }: Job): boolean {
    return this.#told.has(place) && steps.every((step) => step.do === 'note' && step.isAgain);
  }

  #isSynced(): boolean {
    return this.#options.view.watches.every(({ synced }) => synced);
  }

  #plan(): (Step | Move)[] {
    const { view, clock } = this.#options;
    const { pods, policy, quarantines } = view;
    const now = clock();
    return plan({
      incidents: view.incidents(),
      namespaces: view.namespaces(),
      quarantines,
      pods,
      policy,
      policies: view.policies(),
      detached: view.detached(),
      isIsolated: (namespace) => view.isIsolated(namespace),
      incidentNamed: (name) => view.incidentNamed(name),
      policyGaps: view.policyGaps,
      now,
    });
  }

  async #perform(step: Step | Move): Promise<void> {
    const { log, metrics } = this.#options;
    const about = describe(step);
    try {
      const go = () => this.#traced(step, about);
      const state = await (HEARD_BY_AGENTS.has(step.do) ? this.#toAgents.run(go) : go());
      log.info({ ...about, ...(state && { state }) }, 'response');
      this.#pace(deedOf(step), state);
      if (state === 'Failed') metrics.responseFailures.inc();
    } catch (error) {
      metrics.responseFailures.inc();
      log.warn({ ...about, err: error }, 'a step of the response failed and is tried again');
    }
  }

  #pace(deed: string, state: Outcome['state'] | undefined): void {
    const before = this.#paced.get(deed);
    if (state !== 'Running' && state !== 'Failed') {
      this.#paced.delete(deed);
      return;
    }
    const ms = Math.min(before ? 2 * before.ms : PROGRESS_MS, PERIOD_MS);
    this.#paced.set(deed, { until: performance.now() + ms, ms });
    setTimeout(() => this.wake(), ms).unref();
  }

  async #traced(
    step: Step | Move,
    { step: name, incident, quarantine }: About,
  ): Promise<Outcome['state'] | undefined> {
    const { tracer } = this.#options;
    const go = async () => {
      if (isMove(step)) return act(step, this.#options);
      await perform(step, this.#options);
      return undefined;
    };
    if (!tracer) return go();
    const attributes = { 'kubesentry.incident': incident, 'kubesentry.quarantine': quarantine };
    const outcome = (state: Outcome['state'] | undefined) => ({ 'kubesentry.state': state });
    return tracer.span(`response ${name}`, { attributes, outcome }, go);
  }
}

function deedOf(step: Step | Move): string {
  return `${step.do} ${'incident' in step ? step.incident : ''}`;
}

function describe(step: Step | Move): About {
  const quarantine =
    'quarantine' in step
      ? typeof step.quarantine === 'string'
        ? step.quarantine
        : step.quarantine?.metadata.name
      : undefined;
  return {
    step: step.do,
    quarantine,
    incident: 'incident' in step ? step.incident : undefined,
    namespace: 'namespace' in step ? step.namespace : undefined,
    policy: 'policy' in step ? step.policy.metadata.name : undefined,
  };
}
