import { nameIn } from './names.ts';
import { isRecord, textOf } from './shape.ts';
import type { Machine } from './shell/machine.ts';

const ENTRY_LIMIT = 128;

/** Judges what a package.json of Node.js runs by its scripts, and what it depends on. */
export function judgePackage(text: string, path: string, machine: Machine): void {
  const manifest = read(text);
  if (!isRecord(manifest)) return;
  const entries = (field: unknown) => (isRecord(field) ? Object.entries(field).slice(0, ENTRY_LIMIT) : []);
  for (const [, script] of entries(manifest.scripts)) machine.runScript(textOf(script), path);
  for (const field of [manifest.dependencies, manifest.optionalDependencies]) {
    for (const [name] of entries(field)) {
      const match = name.split('/').map((step) => nameIn(step, machine.docket.indicators));
      if (match.some((found) => found?.kind === 'miner'))
        machine.docket.report('miner-download', path, `It depends on ${name}.`, name, 60);
    }
  }
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
