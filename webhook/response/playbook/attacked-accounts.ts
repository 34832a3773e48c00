import type { Incident } from '../../../api/incident.ts';

/** Accounts that an Incident has room for. */
const ACCOUNTS = 32;

/**
 * The accounts of the pods of an attack, with those that are known already. Whoever makes pods of that workload chooses
 * their accounts: those of the pods that mined must not find it full. Pure.
 */
export function attackedAccounts(
  { status }: Incident,
  pods: readonly { namespace: string; name: string; serviceAccount: string }[],
): string[] {
  const mined = new Set(status?.pods);
  const [theirs, others] = [true, false].map((isTheirs) =>
    pods.flatMap(({ namespace, name, serviceAccount }) =>
      mined.has(`${namespace}/${name}`) === isTheirs ? serviceAccount : [],
    ),
  ) as [string[], string[]];
  const known = status?.serviceAccounts ?? [];
  return [...new Set([...theirs, ...known, ...others])].slice(0, ACCOUNTS).sort();
}
