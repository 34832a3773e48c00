import { INCIDENT_BOUNDS, type Incident } from '../../../api/incident.ts';

interface Attacked {
  namespace: string;
  name: string;
  serviceAccount: string;
}

/**
 * The accounts of the pods of an attack, with those that are known already. Whoever makes pods of that workload chooses
 * their accounts: those of the pods that mined must not find it full. Pure.
 */
export function attackedAccounts({ status }: Incident, pods: readonly Attacked[]): string[] {
  const mined = new Set(status?.pods);
  const accountsOf = (some: readonly Attacked[]) => some.map(({ serviceAccount }) => serviceAccount);
  const first = accountsOf(pods.filter(({ namespace, name }) => mined.has(`${namespace}/${name}`)));
  const accounts = new Set([...first, ...(status?.serviceAccounts ?? []), ...accountsOf(pods)]);
  return [...accounts].slice(0, INCIDENT_BOUNDS.serviceAccounts).sort();
}
