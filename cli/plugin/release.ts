import { KubesentryError } from '../../api/errors.ts';
import { BREAK_GLASS_GROUP, LABEL } from '../../api/names.ts';
import { KIND } from '../../kube/kind.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry release NAME

Ends a quarantine: its bans are lifted, the namespace deploys again, its pods reach the network again.
Needs membership of the group ${BREAK_GLASS_GROUP}.

Examples:
  kubectl kubesentry quarantine                        what is contained, by name
  kubectl kubesentry release shop-web-1a2b3c --as=me --as-group=${BREAK_GLASS_GROUP}
`;

/** How long the webhook may take to put the namespace back, milliseconds. */
const PATIENCE_MS = 15_000;

export const releaseCommand = pluginCommand({ text: USAGE, arguments: [1, 1] }, release);

/** Raises KUBE_NOT_FOUND, BREAK_GLASS_NEEDED for who is not allowed to, NOT_READY when nobody puts the namespace back. */
export async function release({ connect, positionals, write }: Session): Promise<void> {
  const cluster = await connect();
  const [name = ''] = positionals;
  const quarantine = await cluster.get(KIND.Quarantine, { name });
  if (!quarantine)
    throw new KubesentryError(
      'KUBE_NOT_FOUND',
      `There is no quarantine "${name}". All of them: kubectl kubesentry quarantine`,
    );
  await cluster.delete(KIND.Quarantine, { name });
  const { namespace, bans, workload } = quarantine.spec;
  const deadline = performance.now() + PATIENCE_MS;
  while ((await labelOf(namespace)) === name) {
    if (performance.now() > deadline) {
      throw new KubesentryError(
        'NOT_READY',
        `Quarantine ${name} is deleted, but namespace ${namespace} still carries the label ${LABEL.quarantine}: no webhook replica leads the response.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const what = workload ? `${workload.kind} ${namespace}/${workload.name}` : `namespace ${namespace}`;
  write(`${name} is released: ${what} is no longer contained, ${bans.length} bans are lifted.\n`);

  async function labelOf(contained: string): Promise<string | undefined> {
    return (await cluster.get(KIND.Namespace, { name: contained }))?.metadata.labels?.[LABEL.quarantine];
  }
}
