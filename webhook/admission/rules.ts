import type { Finding, Verdict } from '../../api/finding.ts';
import type { Mode } from '../../api/sentry-policy.ts';
import { FINDING_LIMIT } from '../../detection/docket.ts';
import { judgeObject } from '../../detection/judge.ts';
import { type Judgement, judgementOf } from '../../detection/verdict.ts';
import { workloadView } from '../../detection/workload.ts';
import type { Facts, Gate, Ruling } from './gate.ts';
import type { AdmissionRequest } from './review.ts';
import { leavesRunning } from './runs-code.ts';
import { provenWorkloadsOf } from './workloads-of.ts';

/** The object itself, and what comes into a pod that exists. */
const JUDGED_SUBRESOURCES: ReadonlySet<string> = new Set(['', 'ephemeralcontainers', 'binding']);

/** What detection says about the object, within the modes and exemptions of the policy. */
export const rules: Gate = (request, facts) => {
  const { operation, subResource, object } = request;
  if (operation === 'DELETE' || operation === 'CONNECT') return undefined;
  if (!JUDGED_SUBRESOURCES.has(subResource)) return undefined;
  if (subResource === '' && leavesRunning(request)) return undefined;
  return rulingByMode(judgeObject(object, facts), request, facts);
};

/**
 * The verdict of the findings that count where the request comes from. A finding of a rule in mode audit is not
 * enforced, so what is refused has to be refused by the rest alone.
 */
export function rulingByMode(
  { findings }: Judgement,
  request: AdmissionRequest,
  facts: Facts,
): Ruling | undefined {
  if (findings.length === 0) return undefined;
  // Of more than that only some are kept: the container that is not exempt may be among the others.
  const isWhole = findings.length < FINDING_LIMIT;
  const counted = findings.filter((finding) => !isExempt(finding, request, facts, isWhole));
  const { policy } = facts;
  const { namespace } = request;
  const labels = namespace === '' ? {} : facts.namespaceLabels(namespace);
  const from = (...modes: Mode[]) =>
    judgementOf(
      counted.filter(({ rule }) => modes.includes(policy.modeOf(rule, namespace, labels))),
      policy.thresholds,
    );
  const enforced = from('enforce');
  if (enforced.verdict === 'deny') return ruling('deny', enforced);
  const shown = from('enforce', 'warn');
  if (shown.verdict === 'deny') return ruling('warn', shown);
  const all = from('enforce', 'warn', 'audit');
  if (all.verdict === 'deny') return ruling('allow', all);
  if (shown.verdict === 'warn') return { ...ruling('warn', shown), passing: true };
  return undefined;
}

function ruling(verdict: Verdict, { score, findings }: Judgement): Ruling {
  return {
    gate: 'rules',
    verdict,
    reason: `it looks like a cryptominer (score ${score} of 100).`,
    score,
    findings: findings.slice(0, 64),
  };
}

function isExempt(finding: Finding, request: AdmissionRequest, facts: Facts, isWhole: boolean): boolean {
  return facts.policy.exempts(
    {
      rule: finding.rule,
      namespace: request.namespace,
      user: request.userInfo.username,
      workloads: provenWorkloadsOf(request, facts),
      images: imagesAt(isWhole ? finding.path : '', request),
    },
    facts.now,
  );
}

/** The image of the container that the path leads into; of all containers when it leads into none. */
function imagesAt(path: string, { object }: AdmissionRequest): string[] {
  const containers = workloadView(object)?.containers ?? [];
  const at = containers.find((container) => path === container.path || path.startsWith(`${container.path}.`));
  return (at ? [at] : containers).map(({ image }) => image);
}
