import { PLAYBOOK } from '../../api/playbook.ts';
import { RULES } from '../../detection/rules.ts';
import type { Cluster, Stored } from '../../kube/cluster.ts';
import { KIND, type Kind } from '../../kube/kind.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry completion

Prints the program by which kubectl (1.26 and later) completes the words of this plugin: commands, incidents, steps,
quarantines, namespaces and rules.

Examples:
  kubectl kubesentry completion > ~/.local/bin/kubectl_complete-kubesentry
  chmod +x ~/.local/bin/kubectl_complete-kubesentry

      --words            complete the words behind -- instead; what that program does
`;

const SCRIPT = `#!/bin/sh
# kubectl runs this to complete the words of "kubectl kubesentry"; it has to lie in a folder of PATH.
exec kubectl kubesentry completion --words -- "$@"
`;

/** Names of one kind are read in one page: nobody chooses among more. */
const MOST = 500;

/** Tells the shell not to complete names of files (cobra, ShellCompDirectiveNoFileComp). */
const NO_FILES = ':4\n';

/** `commands` are those of the plugin. */
export const completionOf = (commands: readonly string[]) =>
  pluginCommand({ text: USAGE, arguments: [0, 64], options: { words: { isSwitch: true } } }, (session) =>
    completion(session, commands),
  );

export async function completion(
  { connect, positionals, flag, write }: Session,
  commands: readonly string[],
): Promise<void> {
  if (!flag('words')) {
    write(SCRIPT);
    return;
  }
  const begun = positionals.at(-1) ?? '';
  const words = (await candidates(positionals, commands, connect)).filter((word) => word.startsWith(begun));
  write(words.map((word) => `${word}\n`).join('') + NO_FILES);
}

async function candidates(
  words: readonly string[],
  commands: readonly string[],
  connect: () => Promise<Cluster>,
): Promise<readonly string[]> {
  const [command = ''] = words;
  if (words.length <= 1) return commands;
  if (words.length > 2) return command === 'approve' ? [...PLAYBOOK] : [];
  switch (command) {
    case 'incidents':
    case 'report':
    case 'approve':
    case 'dismiss':
      return names(await connect(), KIND.Incident);
    case 'release':
      return names(await connect(), KIND.Quarantine);
    case 'quarantine':
      return names(await connect(), KIND.Namespace);
    case 'explain':
      return [...Object.keys(RULES), ...(await names(await connect(), KIND.Denial))];
    default:
      return [];
  }
}

async function names<T extends Stored>(cluster: Cluster, kind: Kind<T>): Promise<string[]> {
  const { items } = await cluster.list(kind, { limit: MOST });
  return items.flatMap(({ metadata }) => metadata.name ?? []).sort();
}
