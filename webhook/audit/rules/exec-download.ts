import { judgeExecRequest } from '../../../detection/judge.ts';
import { succeeded } from '../identity.ts';
import { type Rule, what, who } from './finding.ts';

/**
 * A command run in a pod from outside that fetches a program or starts a miner. Judged by what it does and not by who
 * sends it: the probes of gitlab-runner, cilium, konnectivity, trident, Lens and k9s fetch nothing.
 */
export const execDownload: Rule = (fact, { indicators }) => {
  const { command, target } = fact;
  const entered = target.subresource === 'exec' || target.subresource === 'attach';
  if (!entered || command.length === 0 || !succeeded(fact)) return undefined;
  const { verdict, findings } = judgeExecRequest({ command }, { indicators });
  const [worst] = findings;
  if (!worst || verdict === 'allow') return undefined;
  const mines = findings.some(({ severity }) => severity === 'critical');
  return {
    severity: verdict === 'deny' ? (mines ? 'critical' : 'high') : 'medium',
    message: `${who(fact)} ran a command in ${what(fact)}: ${worst.message}`.slice(0, 1024),
  };
};
