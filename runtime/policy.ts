import type { Quarantine } from '../api/quarantine.ts';
import type { SentryPolicySpec } from '../api/sentry-policy.ts';
import { covers } from '../detection/exemption.ts';
import { type Indicators, withExtra } from '../detection/indicators.ts';
import type { PodInfo } from './pods.ts';

/** detect: report only. enforce: kill, refuse and drop as well. */
export type EnforceMode = 'detect' | 'enforce';

/** What an agent is asked to do. */
export interface RuntimePolicy {
  mode: EnforceMode;
  indicators: Indicators;
  /** Whether what this rule finds in this pod is known to be legitimate: it is reported, and nothing is done. */
  exempts(rule: string, pod: PodInfo): boolean;
}

/** Without a cluster nobody exempts anything. */
export function standalonePolicy(mode: EnforceMode, indicators: Indicators): RuntimePolicy {
  return { mode, indicators, exempts: () => false };
}

/**
 * What the policies of the cluster ask for beside `base`, added up: of several modes the strictest counts. Banned
 * binaries are indicators while their quarantine runs. Banned pools are not: an attacker chooses where he connects, and
 * would name the cluster's own DNS or API server to have everybody contained.
 */
export function runtimePolicy(
  base: RuntimePolicy,
  policies: readonly SentryPolicySpec[],
  quarantines: readonly Quarantine[],
  now: () => Date,
): RuntimePolicy {
  const exemptions = policies.flatMap((policy) => policy.exemptions ?? []);
  const bans = quarantines.flatMap(({ spec }) => spec.bans);
  const hashes = bans.filter(({ facet }) => facet === 'binary').map(({ value }) => value);
  const extras = [...policies.map((policy) => policy.indicators), hashes.length > 0 ? { hashes } : undefined];
  return {
    mode: policies.some(({ runtime }) => runtime?.mode === 'enforce') ? 'enforce' : base.mode,
    indicators: extras.reduce(withExtra, base.indicators),
    exempts(rule, { namespace, workload, name, containers, only }) {
      const images = [...containers.values(), ...(only ? [only] : [])].map(({ image }) => image);
      const workloads = [`${workload.kind}/${workload.name}`, `Pod/${name}`];
      const at = now();
      return exemptions.some((exemption) => covers(exemption, { rule, namespace, workloads, images }, at));
    },
  };
}
