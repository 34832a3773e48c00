import { PROTECTED_NAMESPACES } from '../../api/names.ts';
import { DEFAULT_STEP_MODES, type PlaybookStep, type StepMode } from '../../api/playbook.ts';
import type { BackgroundMode, Mode, SentryPolicy, SentryPolicySpec } from '../../api/sentry-policy.ts';
import { covers, type Exemption, matchesAny, type Subject } from '../../detection/exemption.ts';
import { DENY_FROM, type Thresholds, WARN_FROM } from '../../detection/verdict.ts';
import { type LabelSelector, matchesSelector } from '../../kube/selector.ts';

type Labels = Readonly<Record<string, string>>;

const STRICTNESS: Record<Mode, number> = { off: 0, audit: 1, warn: 2, enforce: 3 };
const DEFAULT_CONFIDENCE = 0.9;
const DEFAULT_GRACE_SECONDS = 1;

const BACKGROUND: readonly BackgroundMode[] = ['respond', 'report', 'off'];

/** The most careful first. */
const CARE: readonly StepMode[] = ['off', 'approve', 'auto'];

/**
 * All SentryPolicies of kubesentry-system as one. Where they differ, the strictest counts; a mode for a rule or for a
 * namespace goes before the general one, and of two such modes the stricter one counts.
 */
export class Policy {
  readonly #specs: readonly SentryPolicySpec[];
  readonly #general: Mode;
  readonly #rules = new Map<string, Mode>();
  readonly #exemptions: readonly Exemption[];
  /** From which scores on a verdict is given; the lowest that a policy sets. */
  readonly thresholds: Thresholds;

  constructor(policies: Iterable<Pick<SentryPolicy, 'spec'>>) {
    this.#specs = [...policies].map(({ spec }) => spec);
    this.#general = strictest(this.#specs.map(({ admission }) => admission?.mode)) ?? 'enforce';
    for (const { rule, mode } of this.#specs.flatMap(({ admission }) => admission?.rules ?? [])) {
      this.#rules.set(rule, strictest([mode, this.#rules.get(rule)]) ?? mode);
    }
    const thresholds = this.#specs.flatMap(({ admission }) => admission?.thresholds ?? []);
    this.thresholds = {
      deny: lowest(thresholds.flatMap(({ deny }) => deny ?? [])) ?? DENY_FROM,
      warn: lowest(thresholds.flatMap(({ warn }) => warn ?? [])) ?? WARN_FROM,
    };
    this.#exemptions = this.#specs.flatMap(({ exemptions }) => exemptions ?? []);
  }

  /**
   * The mode of a rule in a namespace; empty for what is cluster-scoped. While the labels of a namespace are not
   * known (undefined), a selector may match or not: the stricter of the two counts.
   */
  modeOf(rule: string, namespace: string, labels: Labels | undefined): Mode {
    const forRule = this.#rules.get(rule);
    const views = labels ? [labels] : (['all', 'none'] as const);
    const modes = views.map(
      (view) => strictest([forRule, this.#namespaceMode(namespace, view)]) ?? this.#general,
    );
    const mode = strictest(modes) as Mode;
    if (!PROTECTED_NAMESPACES.includes(namespace) || this.#names(namespace)) return mode;
    return STRICTNESS[mode] < STRICTNESS.audit ? mode : 'audit';
  }

  /** Whether what a rule found is known to be legitimate. */
  exempts(subject: Subject, now: Date): boolean {
    return this.#exemptions.some((exemption) => covers(exemption, subject, now));
  }

  /** From which confidence on Kubesentry contains by itself; undefined when people decide. */
  get containFrom(): number | undefined {
    const responses = this.#specs.flatMap(({ response }) => response ?? []);
    const set = responses.flatMap(({ quarantine }) => quarantine ?? []);
    if (set.length > 0 && !set.includes('auto')) return undefined;
    const thresholds = responses.flatMap(({ minConfidence }) => minConfidence ?? []);
    return thresholds.length > 0 ? Math.min(...thresholds) : DEFAULT_CONFIDENCE;
  }

  /** How far a step of the response goes by itself. What destroys needs the consent of every policy that speaks of it. */
  stepMode(step: PlaybookStep): StepMode {
    const set = this.#specs.flatMap(({ response }) => response?.steps?.[step] ?? []);
    return CARE.find((mode) => set.includes(mode)) ?? DEFAULT_STEP_MODES[step];
  }

  /** What becomes of workloads that exist and would be refused today; the strictest counts. */
  get background(): BackgroundMode {
    const set = this.#specs.flatMap(({ background }) => background ?? []);
    return BACKGROUND.find((mode) => set.includes(mode)) ?? 'report';
  }

  /** Seconds that terminated pods get; the longest that a policy gives. */
  get gracePeriodSeconds(): number {
    const set = this.#specs.flatMap(({ response }) => response?.gracePeriodSeconds ?? []);
    return set.length > 0 ? Math.max(...set) : DEFAULT_GRACE_SECONDS;
  }

  /** The indicators of all policies. */
  get indicators(): SentryPolicySpec['indicators'] {
    const extras = this.#specs.flatMap(({ indicators }) => indicators ?? []);
    const all = (field: keyof NonNullable<SentryPolicySpec['indicators']>) =>
      extras.flatMap((extra) => extra[field] ?? []);
    return {
      names: all('names'),
      pools: all('pools'),
      addresses: all('addresses'),
      images: all('images'),
      hashes: all('hashes'),
    };
  }

  /** `all` and `none`: as if every selector matched, or no selector. */
  #namespaceMode(namespace: string, labels: Labels | 'all' | 'none'): Mode | undefined {
    const entries = this.#specs.flatMap(({ admission }) => admission?.namespaces ?? []);
    const selected = (selector: LabelSelector) =>
      labels === 'all' || (labels !== 'none' && matchesSelector(selector, labels));
    return strictest(
      entries
        .filter(({ names, selector }) => names !== undefined || selector !== undefined)
        .filter(({ names }) => !names || matchesAny(names, namespace))
        .filter(({ selector }) => !selector || selected(selector))
        .map(({ mode }) => mode),
    );
  }

  /** Only by its full name: `*` does not mean the namespaces that the cluster lives on. */
  #names(namespace: string): boolean {
    return this.#specs.some(({ admission }) =>
      admission?.namespaces?.some(({ names }) => names?.includes(namespace)),
    );
  }
}

function strictest(modes: readonly (Mode | undefined)[]): Mode | undefined {
  let best: Mode | undefined;
  for (const mode of modes) {
    if (mode && (best === undefined || STRICTNESS[mode] > STRICTNESS[best])) best = mode;
  }
  return best;
}

function lowest(scores: readonly number[]): number | undefined {
  return scores.length === 0 ? undefined : Math.min(...scores);
}
