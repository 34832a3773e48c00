import { containsNamespace, isProtected, type Quarantine } from '../../api/quarantine.ts';
import type { Effect } from './condition.ts';

/** Type of the condition that says whether the API server itself refuses, also when no webhook replica is alive. */
export const HELD_BY_API_SERVER = 'HeldByApiServer';

/** What `gaps` there are in the API server's own policy, a sentence each, for one Quarantine. Pure. */
export function holdEffect(quarantine: Quarantine, gaps: readonly string[]): Effect {
  const type = HELD_BY_API_SERVER;
  if (!containsNamespace(quarantine)) {
    const message =
      "The API server's own policy holds labelled namespaces only: without a webhook replica nothing is refused because of this.";
    return { type, status: 'False', reason: 'NotLabeled', message };
  }
  if (gaps.length > 0) {
    // The webhook is asked neither about namespaces that the cluster lives on nor about Secrets.
    const left = isProtected(quarantine)
      ? `Nothing is refused in ${quarantine.spec.namespace}`
      : 'Only the webhook refuses, and no Secret that gets a token';
    const message = `${gaps.join(' ')} ${left}. To do: kubectl apply -f install.yaml`;
    return { type, status: 'False', reason: 'PolicyMissing', message };
  }
  const message = 'ValidatingAdmissionPolicy and binding are there: this holds without any webhook replica.';
  return { type, status: 'True', reason: 'PolicyInForce', message };
}
