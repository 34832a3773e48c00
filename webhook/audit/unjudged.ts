import type { KubeObject } from '../../api/object.ts';
import { groupVersion, KIND, type Kind } from '../../kube/kind.ts';
import type { Fact } from './fact.ts';
import type { InquiryTools } from './inquiry.ts';
import { byRuling, judge, placedOf } from './look-again.ts';
import type { AuditFinding } from './rules/finding.ts';
import { kindOfResource } from './workload.ts';

/** Names that the API server made up are not in every event: then it is one of those made at that time. */
const NEARBY_MS = 5_000;
const PAGE = 500;

/** What became of an object that no webhook judged. `unknown` is of a kind that cannot be fetched. */
export type Afterwards = 'clean' | 'miner' | 'gone' | 'unknown';

/**
 * Judges afterwards what the API server let pass while the webhook did not answer. A miner gets its incident, as if a
 * node had seen it, and the finding that says so.
 */
export async function judgeAfterwards(
  fact: Fact,
  tools: InquiryTools,
): Promise<{ outcome: Afterwards; findings: AuditFinding[] }> {
  const kind = kindOfResource(fact.target.resource);
  if (!kind || groupVersion(kind).group !== fact.target.group) return { outcome: 'unknown', findings: [] };
  const objects = await objectsOf(fact, kind, tools);
  const facts = tools.view.facts(tools.clock());
  const findings: AuditFinding[] = [];
  for (const object of objects) {
    const ruling = judge(object, kind, fact.actor, facts);
    if (ruling?.verdict !== 'deny') continue;
    await tools.incidents.add([placedOf(object, kind, byRuling(ruling, fact.time), tools.view.pods)]);
    const { name = '', namespace = '', uid = '' } = object.metadata;
    findings.push({
      rule: 'failed-open',
      severity: 'critical',
      message: `${kind.kind} ${namespace}/${name} passed while the webhook did not answer, and ${ruling.reason}`,
      remedy: `kubectl kubesentry incidents shows what is done about it; delete the ${kind.kind} otherwise.`,
      fact: { ...fact, target: { ...fact.target, name, uid } },
    });
  }
  return { outcome: objects.length === 0 ? 'gone' : findings.length > 0 ? 'miner' : 'clean', findings };
}

async function objectsOf(
  { target, time }: Fact,
  kind: Kind,
  { cluster }: InquiryTools,
): Promise<KubeObject[]> {
  const { namespace, name } = target;
  if (name !== '') {
    const object = await cluster.get(kind, { namespace, name });
    return object ? [object] : [];
  }
  // Owners were let pass as well and have names; only pods may be listed.
  if (kind !== KIND.Pod) return [];
  const { items } = await cluster.list(kind, { namespace, limit: PAGE });
  return items.filter(
    ({ metadata }) => Math.abs(Date.parse(metadata.creationTimestamp ?? '') - time) <= NEARBY_MS,
  );
}
