import type { Ability } from '../api/node-state.ts';
import { type FamilyState, OPTIONAL } from '../bpf/programs.ts';
import type { Hierarchies } from './cgroup-tree.ts';
import type { ProcFs } from './proc-fs.ts';
import { reasonOf } from './sensor.ts';

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

/** PROC_PID_INIT_INO (include/linux/proc_ns.h). */
const FIRST_PID_NAMESPACE = 0xef_ff_ff_fc;

/** Its bit (linux/capability.h). */
const CAP_SYS_PTRACE = 1n << 19n;

/** Everything that an agent can do on this node, and why it cannot do the rest. */
export function abilitiesOf(
  hierarchies: Hierarchies,
  families: readonly FamilyState[],
  proc: ProcFs,
): Ability[] {
  const { v2, v1, cpu, freezer } = hierarchies;
  const cpuFrom = cpu.v2 ?? cpu.cpuacct;
  const freezeBy = v2?.root ?? freezer;
  return [
    v2
      ? on('cgroup-v2', `mounted at ${v2.root}`)
      : off('cgroup-v2', 'not mounted: no program sees or refuses network traffic'),
    v1
      ? on('cgroup-v1', `mounted at ${v1.root}`)
      : { name: 'cgroup-v1', state: 'spare', detail: 'not mounted, not needed beside cgroup v2' },
    ...families.map(abilityOf),
    cpuFrom === undefined
      ? off('cpu', 'no hierarchy counts CPU time: miners are not noticed by it')
      : on('cpu', `CPU time of containers, from ${cpuFrom}`),
    freezeBy === undefined
      ? off('freeze', 'no hierarchy can freeze: miners are killed where freezing is asked for')
      : on('freeze', `standing containers still, by ${freezeBy}`),
    binariesBy(proc),
  ];
}

function binariesBy(proc: ProcFs): Ability {
  // The kernel reports the pids of the whole machine, which are other processes in any other namespace, or none.
  if ((proc.pidNamespace ?? FIRST_PID_NAMESPACE) !== FIRST_PID_NAMESPACE)
    return off('binaries', `${proc.root} shows the processes of a container alone: hostPID is missing`);
  return seesOthers(proc)
    ? on('binaries', 'path and SHA-256 of what other processes run')
    : off('binaries', 'no /proc/PID/exe of others can be read: CAP_SYS_PTRACE is missing');
}

/**
 * Some sandboxes guard their first process from everybody; then one of any other user tells as much. Where nobody else
 * runs anything, the capability does.
 */
function seesOthers(proc: ProcFs): boolean {
  if (proc.exe(1) !== undefined || (proc.capabilities & CAP_SYS_PTRACE) !== 0n) return true;
  const own = process.geteuid?.();
  return proc.pids().some((pid) => {
    const uid = proc.uid(pid);
    return uid !== undefined && uid !== own && proc.exe(pid) !== undefined;
  });
}

/** Whether a node with these is watched as it should be. */
export function isComplete(abilities: readonly Ability[]): boolean {
  return abilities.every(({ state }) => state === 'on' || state === 'spare');
}

function abilityOf({ family, attached, failed }: FamilyState): Ability {
  const meaning = MEANING[family] ?? '';
  const reasons = failed.map(({ program, error }) => `without ${program}: ${reasonOf(error)}`);
  const detail = [meaning, ...reasons].join('; ').slice(0, 1024);
  const none = OPTIONAL.includes(family) ? 'spare' : 'off';
  const state = failed.length === 0 ? 'on' : attached.length === 0 ? none : 'part';
  return { name: family, state, detail };
}

function on(name: string, detail: string): Ability {
  return { name, state: 'on', detail };
}

function off(name: string, detail: string): Ability {
  return { name, state: 'off', detail };
}
