import { judgeEntry } from './data-entries.ts';
import { judgeEnvironment, type Variable } from './environment.ts';
import { judgeArguments } from './miner-arguments.ts';
import { isRecord, textOf } from './shape.ts';
import type { Machine } from './shell/machine.ts';

/** Words of one text that are read as arguments. */
const WORD_LIMIT = 256;

/**
 * Judges the annotations and labels that a Binding brings to its pod. What the pod makes of them stands in the pod, and is
 * not known here: a file, a variable, arguments or a script.
 */
export function judgeBinding({ kind, metadata }: Record<string, unknown>, machine: Machine): void {
  if (kind !== 'Binding' || !isRecord(metadata)) return;
  const variables: Variable[] = [];
  for (const field of ['annotations', 'labels']) {
    const texts = metadata[field];
    if (!isRecord(texts)) continue;
    for (const [key, value] of Object.entries(texts)) {
      const text = textOf(value);
      const path = `metadata.${field}[${JSON.stringify(key)}]`;
      judgeEntry(key, text, path, machine);
      const words = text.split(/\s+/, WORD_LIMIT).filter((word) => word !== '');
      judgeArguments(
        words.map((word) => ({ text: word, path })),
        machine.docket,
      );
      machine.runScript(text, path);
      variables.push({ name: key.slice(key.lastIndexOf('/') + 1), value: text, path });
    }
  }
  judgeEnvironment(variables, machine.docket);
}
