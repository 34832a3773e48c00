import { KubesentryError } from '../../api/errors.ts';
import { type Incident, isOpen } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';

const ATTEMPTS = 10;

/**
 * Writes what somebody decided about an incident, with the version that was read: the response may be writing at the
 * same moment. Raises USAGE for one that is over, KUBE_NOT_FOUND, and KUBE_REFUSED for who is not allowed to.
 */
export async function decide(
  cluster: Cluster,
  name: string,
  change: (spec: Incident['spec']) => Partial<Incident['spec']>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const incident = await cluster.get(KIND.Incident, { name });
    if (!incident) throw new KubesentryError('KUBE_NOT_FOUND', `There is no incident "${name}".`);
    if (incident.status && !isOpen(incident)) {
      throw new KubesentryError(
        'USAGE',
        `Incident ${name} is ${incident.status.phase}: nothing of it is done any more. If it goes on, it becomes a new incident.`,
      );
    }
    const { resourceVersion } = incident.metadata;
    try {
      await cluster.patch(
        KIND.Incident,
        { name },
        { metadata: { resourceVersion }, spec: change(incident.spec) },
      );
      return;
    } catch (error) {
      const isLate = error instanceof KubesentryError && error.code === 'KUBE_CONFLICT';
      if (!isLate || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
    }
  }
}
