import { KubesentryError } from '../../api/errors.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
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

export const dismissCommand = pluginCommand(
  { text: USAGE, arguments: [1, 1], options: { reason: {} } },
  dismiss,
);

/** Raises USAGE without a reason, KUBE_NOT_FOUND, BREAK_GLASS_NEEDED for who is not allowed to. */
export async function dismiss({ connect, positionals, option, write }: Session): Promise<void> {
  const [name = ''] = positionals;
  const reason = option('reason')?.trim();
  if (!reason) throw new KubesentryError('USAGE', 'Say why this is no attack: --reason TEXT.');
  await decide(await connect(), name, () => ({ dismissed: reason.slice(0, 1024) }));
  write(`${name} is dismissed; its quarantine, if there is one, ends now.\n`);
}
