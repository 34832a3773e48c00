import { KubesentryError } from '../api/errors.ts';
import type { Ability } from '../api/node-state.ts';
import { abilitiesOf, isComplete } from './abilities.ts';
import { findHierarchies } from './cgroup-tree.ts';
import { stderrLog } from './log.ts';
import { ProcFs } from './proc-fs.ts';
import { Sensor } from './sensor.ts';
import type { AgentOptions } from './start.ts';

const SIGN: Record<Ability['state'], string> = { on: 'ok', part: 'part', off: 'no', spare: '-' };

/**
 * `agent --check`: loads every program here, says line by line what works and why the rest does not, and takes it all
 * out again. True when the agent can work.
 */
export function checkNode(
  print: (line: string) => void,
  paths: Pick<AgentOptions, 'procRoot' | 'cgroupRoot'>,
): boolean {
  const proc = new ProcFs(paths.procRoot);
  const hierarchies = findHierarchies(proc.root, paths.cgroupRoot);
  const write = (abilities: readonly Ability[]) => {
    for (const { name, state, detail } of abilities) {
      const [what = '', ...reasons] = detail.split('; without ');
      print(`${SIGN[state].padEnd(4)} ${name.padEnd(10)} ${what}`);
      for (const reason of reasons) print(`       without ${reason}`);
    }
  };
  let sensor: Sensor;
  try {
    sensor = Sensor.load({ hierarchies, log: stderrLog('error') });
  } catch (error) {
    if (!(error instanceof KubesentryError)) throw error;
    write(abilitiesOf(hierarchies, [], proc));
    print(`no   sensor     ${error.code}: ${error.message} ${error.remedy}`);
    return false;
  }
  try {
    const abilities = abilitiesOf(hierarchies, sensor.families, proc);
    write(abilities);
    print(isComplete(abilities) ? 'This node can be watched.' : 'This node can be watched in part.');
    return true;
  } finally {
    sensor.close();
  }
}
