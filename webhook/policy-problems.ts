import { Compile } from 'typebox/compile';
import { SentryPolicySpec } from '../api/sentry-policy.ts';
import { parseAddressRange } from '../detection/address-ranges.ts';
import { nameKey } from '../detection/indicators.ts';
import { RULES } from '../detection/rules.ts';
import { DENY_FROM, WARN_FROM } from '../detection/verdict.ts';

/** One thing that is wrong with a policy. */
export interface PolicyProblem {
  /** Such as `spec.exemptions[0]`. */
  path: string;
  message: string;
}

const schema = Compile(SentryPolicySpec);

/** A miner's name that is one of these would have every container killed, and the node with them. */
const EVERYWHERE: ReadonlySet<string> = new Set(
  (
    'ash awk bash busybox cat containerd containerd-shim containerd-shim-runc-v2 crio dash dockerd env grep init java ' +
    'kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet ls mount mv nginx node pause perl php ' +
    'python python3 rm ruby runc sed sh sleep systemd tini zsh'
  ).split(' '),
);

/** Problems shown at once; who wrote a hundred sees the rest after these. */
const SHOWN = 16;

/**
 * What is wrong with the spec of a SentryPolicy beyond what its schema says. Pure; empty for a good one. A policy
 * with a problem is not in force: half of what somebody meant is not what they meant.
 */
export function policyProblems(spec: unknown): PolicyProblem[] {
  if (!schema.Check(spec)) {
    const [first] = schema.Errors(spec);
    const path = first ? `spec${first.instancePath.replaceAll('/', '.')}` : 'spec';
    return [{ path, message: `It ${first?.message ?? 'does not have the shape of a policy'}.` }];
  }
  return [
    ...ruleProblems(spec),
    ...admissionProblems(spec),
    ...exemptionProblems(spec),
    ...indicatorProblems(spec),
    ...addressProblems('spec.runtime.quarantineAllows', spec.runtime?.quarantineAllows),
  ].slice(0, SHOWN);
}

function* ruleProblems({ admission }: SentryPolicySpec): Generator<PolicyProblem> {
  for (const [at, { rule }] of (admission?.rules ?? []).entries()) {
    if (!Object.hasOwn(RULES, rule)) yield unknownRule(`spec.admission.rules[${at}].rule`, rule);
  }
}

function* admissionProblems({ admission }: SentryPolicySpec): Generator<PolicyProblem> {
  for (const [at, { names, selector }] of (admission?.namespaces ?? []).entries()) {
    if (names || selector) continue;
    yield { path: `spec.admission.namespaces[${at}]`, message: 'It has neither names nor a selector.' };
  }
  const { deny = DENY_FROM, warn = WARN_FROM } = admission?.thresholds ?? {};
  if (warn > deny) {
    const message = `Warnings would begin at ${warn}, after refusals at ${deny}.`;
    yield { path: 'spec.admission.thresholds.warn', message };
  }
}

function* exemptionProblems({ exemptions = [] }: SentryPolicySpec): Generator<PolicyProblem> {
  for (const [at, exemption] of exemptions.entries()) {
    const path = `spec.exemptions[${at}]`;
    const { namespaces, images, workloads, users, rules, expires } = exemption;
    const narrow = [namespaces, workloads].some((list) => list?.every((name) => name !== '*'));
    if (!narrow && !images && !users && !rules) {
      yield { path, message: 'It exempts everything: name namespaces, images, workloads, users or rules.' };
    }
    for (const [index, rule] of (rules ?? []).entries()) {
      if (!Object.hasOwn(RULES, rule)) yield unknownRule(`${path}.rules[${index}]`, rule);
    }
    if (expires !== undefined && Number.isNaN(Date.parse(expires))) {
      yield { path: `${path}.expires`, message: `"${expires}" is no time, such as 2027-01-31T00:00:00Z.` };
    }
  }
}

function* addressProblems(path: string, addresses: readonly string[] = []): Generator<PolicyProblem> {
  for (const [at, address] of addresses.entries()) {
    if (parseAddressRange(address)) continue;
    const message = `"${address}" is no address, such as 192.0.2.7, 192.0.2.0/24 or 192.0.2.7:3333.`;
    yield { path: `${path}[${at}]`, message };
  }
}

function* indicatorProblems({ indicators = {} }: SentryPolicySpec): Generator<PolicyProblem> {
  const { names = [], pools = [], hashes = [] } = indicators;
  for (const [at, name] of names.entries()) {
    if (!EVERYWHERE.has(nameKey(name))) continue;
    const message = `"${name}" runs in containers everywhere: it cannot be the name of a miner.`;
    yield { path: `spec.indicators.names[${at}]`, message };
  }
  for (const [at, pool] of pools.entries()) {
    if (/^(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+\.?$/i.test(pool)) continue;
    const message = `"${pool}" is no domain with at least two labels, such as pool.example.com.`;
    yield { path: `spec.indicators.pools[${at}]`, message };
  }
  yield* addressProblems('spec.indicators.addresses', indicators.addresses);
  for (const [at, hash] of hashes.entries()) {
    if (/^[0-9a-f]{64}$/i.test(hash)) continue;
    yield { path: `spec.indicators.hashes[${at}]`, message: `"${hash}" is no SHA-256: 64 hex digits.` };
  }
}

function unknownRule(path: string, rule: string): PolicyProblem {
  return { path, message: `There is no rule "${rule}": kubesentry explain RULE knows them.` };
}
