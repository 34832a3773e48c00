import type { Incident } from '../../api/incident.ts';
import { Limiter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { QuarantineIndex } from '../quarantine-index.ts';
import type { Tracer } from '../trace.ts';
import { Turns } from '../turns.ts';
import type { ClusterView } from '../view.ts';
import { quarantineFor } from './contain.ts';
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

/** Namespaces that are worked on at a time, and incidents that are contained at once beside them. */
const AT_ONCE = 8;

/** When a step that takes its time is looked at again, milliseconds. */
const PROGRESS_MS = 500;

/**
 * The leader's loop: makes the cluster as it should be, after every change of what it depends on and every few
 * seconds. Level-triggered: what was missed while nobody led is done by whoever leads next.
 */
export class ResponseLoop {
  readonly #options: ResponseLoopOptions;
  readonly #unlisten: () => void;
  readonly #timer: NodeJS.Timeout;
  /** By namespace: what is done at once and what the loop does must not get into each other's way. */
  readonly #turns = new Turns();
  readonly #urgent = new Limiter(AT_ONCE);
  #leads = false;
  #wanted = false;
  #running: Promise<void> | undefined;

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
    await this.#urgent.run(() => this.#perform({ do: 'quarantine', quarantine }, quarantine.spec.namespace));
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    this.#options.log.info({ leads }, leads ? 'leads the response' : 'no longer leads the response');
    this.wake();
  }

  wake(): void {
    if (!this.#leads) return;
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#leads = false;
    this.#unlisten();
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    await this.#options.view.synced;
    while (this.#wanted && this.#leads) {
      this.#wanted = false;
      const limiter = new Limiter(AT_ONCE);
      const places = [...this.#places(this.#plan())];
      await Promise.all(places.map(([place, steps]) => limiter.run(() => this.#performAll(place, steps))));
    }
  }

  async #performAll(place: string, steps: readonly (Step | Move)[]): Promise<void> {
    for (const step of steps) {
      if (this.#leads) await this.#perform(step, place);
    }
  }

  /** Steps by the namespace that they are about; those of one are done in order. */
  #places(steps: readonly (Step | Move)[]): Map<string, (Step | Move)[]> {
    const { view } = this.#options;
    const incidents = new Map(
      [...view.incidents()].map(({ metadata, spec }) => [metadata.name, spec.namespace]),
    );
    const places = new Map<string, (Step | Move)[]>();
    for (const step of steps) {
      const place = placeOf(step, incidents, view.quarantines);
      places.set(place, [...(places.get(place) ?? []), step]);
    }
    return places;
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
      now,
    });
  }

  async #perform(step: Step | Move, place: string): Promise<void> {
    const { log, metrics } = this.#options;
    const about = describe(step);
    try {
      const state = await this.#turns.run(place, () => this.#traced(step, about));
      log.info({ ...about, ...(state && { state }) }, 'response');
      if (state === 'Running') setTimeout(() => this.wake(), PROGRESS_MS).unref();
      if (state === 'Failed') metrics.responseFailures.inc();
    } catch (error) {
      metrics.responseFailures.inc();
      log.warn({ ...about, err: error }, 'a step of the response failed and is tried again');
    }
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

function placeOf(
  step: Step | Move,
  incidents: ReadonlyMap<string | undefined, string>,
  quarantines: Pick<QuarantineIndex, 'get'>,
): string {
  if ('namespace' in step) return step.namespace;
  if ('incident' in step) return incidents.get(step.incident) ?? '';
  if (!('quarantine' in step)) return '';
  const { quarantine } = step;
  return (typeof quarantine === 'string' ? quarantines.get(quarantine) : quarantine)?.spec.namespace ?? '';
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
