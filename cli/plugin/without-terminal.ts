import type { Cluster } from '../../kube/cluster.ts';
import type { Session } from './options.ts';

export interface Given {
  namespace?: string;
  options?: Readonly<Record<string, string>>;
  flags?: readonly string[];
  signal?: AbortSignal;
  /** Hears of what is written as it is written. */
  onText?: (text: string) => void;
}

export interface Shown {
  text: string;
  warnings: string;
  exit: number;
}

/** Runs a command as somebody who is connected already, and answers what they would have seen. */
export async function runWithoutTerminal(
  command: (session: Session) => Promise<void>,
  cluster: Cluster,
  positionals: string[],
  {
    namespace,
    options = {},
    flags = [],
    signal = new AbortController().signal,
    onText = () => {},
  }: Given = {},
): Promise<Shown> {
  const shown: Shown = { text: '', warnings: '', exit: 0 };
  await command({
    connect: async () => cluster,
    positionals,
    namespace,
    option: (name) => options[name],
    flag: (name) => flags.includes(name),
    write: (text) => {
      shown.text += text;
      onText(text);
    },
    warn: (text) => {
      shown.warnings += text;
    },
    exitWith: (exit) => {
      shown.exit = exit;
    },
    signal,
  });
  return shown;
}
