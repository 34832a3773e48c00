import type { Quarantine } from '../api/quarantine.ts';
import type { SentryPolicySpec } from '../api/sentry-policy.ts';
import { type AddressRange, parseAddressRange } from '../detection/address-ranges.ts';
import { covers, matchesAny } from '../detection/exemption.ts';
import { type Indicators, withExtra } from '../detection/indicators.ts';
import type { PodInfo } from './pods.ts';

/** detect: report only. enforce: kill, refuse and drop as well. */
export type EnforceMode = 'detect' | 'enforce';

/** How a miner is stopped in enforce mode. */
export type Stop = 'kill' | 'freeze';

/** What an agent is asked to do. */
export interface RuntimePolicy {
  mode: EnforceMode;
  stop: Stop;
  indicators: Indicators;
  /** What contained pods may reach all the same. */
  allowed: readonly AddressRange[];
  /** For the pods of namespaces that have a mode of their own. */
  modeOf(pod: PodInfo): EnforceMode | undefined;
  /** Whether what this rule finds in this pod is known to be legitimate: it is reported, and nothing is done. */
  exempts(rule: string, pod: PodInfo): boolean;
}

/** Without a cluster nobody exempts anything. */
export function standalonePolicy(
  mode: EnforceMode,
  indicators: Indicators,
  stop: Stop = 'kill',
): RuntimePolicy {
  return { mode, stop, indicators, allowed: [], modeOf: () => undefined, exempts: () => false };
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
  const runtimes = policies.flatMap(({ runtime }) => runtime ?? []);
  const namespaces = runtimes.flatMap((runtime) => runtime.namespaces ?? []);
  return {
    mode: runtimes.some(({ mode }) => mode === 'enforce') ? 'enforce' : base.mode,
    stop: runtimes.some(({ stop }) => stop === 'freeze') ? 'freeze' : base.stop,
    allowed: runtimes.flatMap(({ quarantineAllows }) => (quarantineAllows ?? []).flatMap(rangeOf)),
    modeOf({ namespace }) {
      const modes = namespaces.filter(({ names }) => matchesAny(names, namespace)).map(({ mode }) => mode);
      return modes.includes('enforce') ? 'enforce' : modes[0];
    },
    indicators: extras.reduce(withExtra, base.indicators),
    exempts(rule, { namespace, workload, name, containers, only }) {
      const images = [...containers.values(), ...(only ? [only] : [])].map(({ image }) => image);
      const workloads = [`${workload.kind}/${workload.name}`, `Pod/${name}`];
      const at = now();
      return exemptions.some((exemption) => covers(exemption, { rule, namespace, workloads, images }, at));
    },
  };
}

/** What cannot be read is left out: the policy's own validation reports it. */
function rangeOf(text: string): AddressRange[] {
  const range = parseAddressRange(text);
  return range ? [range] : [];
}
