import { KubesentryError } from '../../api/errors.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import { PLAYBOOK, type PlaybookStep } from '../../api/playbook.ts';
import { decide } from './decide.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry approve INCIDENT STEP...

Lets the response do what waits for a human:
  terminate   deletes the owner of the miner, then its pods; the manifest is kept
  revoke      makes the service accounts of its pods anew, so that every token of them dies
Needs membership of the group ${BREAK_GLASS_GROUP}.

Examples:
  kubectl kubesentry incidents shop-web-1a2b3c         what it would delete
  kubectl kubesentry approve shop-web-1a2b3c terminate revoke --as=me --as-group=${BREAK_GLASS_GROUP}
`;

export const approveCommand = pluginCommand({ text: USAGE, arguments: [2, 1 + PLAYBOOK.length] }, approve);

/** Raises USAGE for a step that there is not, KUBE_NOT_FOUND, BREAK_GLASS_NEEDED for who is not allowed to. */
export async function approve({ connect, positionals, write }: Session): Promise<void> {
  const [name = '', ...steps] = positionals;
  const unknown = steps.find((step) => !PLAYBOOK.includes(step as PlaybookStep));
  if (unknown !== undefined) {
    throw new KubesentryError('USAGE', `There is no step "${unknown}": they are ${PLAYBOOK.join(', ')}.`);
  }
  const approved = steps as PlaybookStep[];
  await decide(await connect(), name, ({ approvals = [] }) => ({
    approvals: [...new Set([...approvals, ...approved])],
  }));
  write(
    `${steps.join(', ')} of ${name} approved. To see how far it is: kubectl kubesentry incidents ${name}\n`,
  );
}
