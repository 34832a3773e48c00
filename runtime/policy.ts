import type { Quarantine } from '../api/quarantine.ts';
import type { SentryPolicySpec } from '../api/sentry-policy.ts';
import { type Indicators, withExtra } from '../detection/indicators.ts';
import type { EnforceMode } from './enforce.ts';

/** What the cluster's policies ask of an agent, added up. */
export interface RuntimePolicy {
  mode: EnforceMode;
  indicators: Indicators;
}

/** Of several policies the strictest mode counts. Bans of running quarantines are indicators while they run. */
export function runtimePolicy(
  base: { mode: EnforceMode; indicators: Indicators },
  policies: Iterable<SentryPolicySpec>,
  quarantines: Iterable<Quarantine>,
): RuntimePolicy {
  let { mode, indicators } = base;
  for (const policy of policies) {
    if (policy.runtime?.mode === 'enforce') mode = 'enforce';
    indicators = withExtra(indicators, policy.indicators);
  }
  const bans = [...quarantines].flatMap(({ spec }) => spec.bans);
  const banned = (facet: string) => bans.filter((ban) => ban.facet === facet).map(({ value }) => value);
  const hashes = banned('binary');
  if (hashes.length > 0) indicators = withExtra(indicators, { hashes });
  return { mode, indicators };
}
