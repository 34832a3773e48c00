import { KubesentryError } from '../api/errors.ts';
import { OPTIONAL } from '../bpf/programs.ts';
import { findHierarchies } from './cgroup-tree.ts';
import { stderrLog } from './log.ts';
import { reasonOf, Sensor } from './sensor.ts';
import type { AgentOptions } from './start.ts';

/** What is lost without a family of programs. */
const MEANING: Record<string, string> = {
  exec: 'programs that are started, and killing listed ones',
  process: 'who started whom',
  cgroup: 'names of containers before their first process',
  connect: 'connections, and refusing listed destinations',
  egress: 'the pool protocol on the wire, and cutting off contained pods',
  names: 'pools by the names that are asked of DNS and told to TLS servers',
  iter: 'processes and connections that were there before the agent',
  fpu: 'RandomX by its rounding mode',
  lsm: 'refusing listed programs before they are processes; without it they are killed at exec',
};

/**
 * `agent --check`: loads every program here, says line by line what works and why the rest does not, and takes it all
 * out again. True when the agent can work.
 */
export function checkNode(
  print: (line: string) => void,
  paths: Pick<AgentOptions, 'procRoot' | 'cgroupRoot'>,
): boolean {
  const hierarchies = findHierarchies(paths.procRoot ?? '/proc', paths.cgroupRoot);
  print(
    `${hierarchies.v2 ? 'ok  ' : 'no  '} cgroup v2   ${hierarchies.v2?.root ?? 'not mounted: no program sees network traffic'}`,
  );
  print(
    `${hierarchies.v1 ? 'ok  ' : '-   '} cgroup v1   ${hierarchies.v1?.root ?? 'not mounted, not needed'}`,
  );
  let sensor: Sensor;
  try {
    sensor = Sensor.load({ hierarchies, log: stderrLog('error') });
  } catch (error) {
    if (!(error instanceof KubesentryError)) throw error;
    print(`no   sensor      ${error.code}: ${error.message} ${error.remedy}`);
    return false;
  }
  try {
    for (const { family, attached, failed } of sensor.families) {
      const none = OPTIONAL.includes(family) ? '-   ' : 'no  ';
      const works = attached.length === 0 ? none : failed.length === 0 ? 'ok  ' : 'part';
      print(`${works} ${family.padEnd(11)} ${MEANING[family] ?? ''}`);
      for (const { program, error } of failed) print(`       without ${program}: ${reasonOf(error)}`);
    }
    print('This node can be watched.');
    return true;
  } finally {
    sensor.close();
  }
}
