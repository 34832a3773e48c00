import { KubesentryError } from '../../api/errors.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import { KIND } from '../../kube/kind.ts';
import { decide } from './decide.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry dismiss INCIDENT --reason TEXT

Says that this is no attack: its quarantine ends, and the same alarm does not come again for that workload,
until it was silent for a month (webhook --incident-days).
Needs membership of the group ${BREAK_GLASS_GROUP}.

Examples:
  kubectl kubesentry dismiss shop-web-1a2b3c --reason "load test of the pool's own client"

  --reason TEXT          why; it is kept
`;

/** How long the webhook may take to end it, milliseconds. */
const PATIENCE_MS = 15_000;

export const dismissCommand = pluginCommand(
  { text: USAGE, arguments: [1, 1], options: { reason: {} } },
  dismiss,
);

/**
 * Raises USAGE without a reason, KUBE_NOT_FOUND, BREAK_GLASS_NEEDED for who is not allowed to, NOT_READY when nobody ends
 * its quarantine.
 */
export async function dismiss({ connect, positionals, option, write }: Session): Promise<void> {
  const [name = ''] = positionals;
  const reason = option('reason')?.trim();
  if (!reason) throw new KubesentryError('USAGE', 'Say why this is no attack: --reason TEXT.');
  const cluster = await connect();
  await decide(cluster, name, () => ({ dismissed: reason.slice(0, 1024) }));
  const deadline = performance.now() + PATIENCE_MS;
  while ((await cluster.get(KIND.Incident, { name }))?.status?.phase !== 'Dismissed') {
    if (performance.now() > deadline) {
      throw new KubesentryError(
        'NOT_READY',
        `${name} is to be dismissed, but its quarantine, if there is one, has not ended: no webhook replica leads the response.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  write(`${name} is dismissed; its quarantine, if there was one, is over.\n`);
}
