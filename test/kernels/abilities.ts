import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { POLICY } from '../../bpf/control.ts';
import { OPTIONAL, Programs } from '../../bpf/programs.ts';
import { withExtra } from '../../detection/indicators.ts';
import { loadIndicators } from '../../detection/load.ts';
import { findHierarchies } from '../../runtime/cgroup-tree.ts';
import { reasonOf } from '../../runtime/sensor.ts';
import { Arena } from '../runtime/arena.ts';

/** What a kernel does about one ability of the agent. */
export type Cell =
  | { state: 'works' }
  | { state: 'falls back'; to: string; reason: string }
  | { state: 'cannot'; reason: string };

export interface Result {
  ability: string;
  cell: Cell;
}

interface Scene {
  arena: Arena;
  /** Whose address is listed, and whose is not. */
  listed: Listener;
  other: Listener;
}

interface Listener {
  server: Server;
  port: number;
  received: () => string;
}

const WORKS: Cell = { state: 'works' };
const cannot = (reason: string): Cell => ({ state: 'cannot', reason });

/** A stand-in for whatever: bash under another name, which talks over /dev/tcp. */
const talk = ({ arena }: Scene, { port }: Listener, line: string) =>
  arena.run([
    arena.standIn(`talker-${port}`, '/bin/bash'),
    '-c',
    `exec 3<>/dev/tcp/127.0.0.1/${port} || exit 7; echo '${line}' >&3; read -t 1 answer <&3; echo "got $answer"`,
  ]);

/** The functional list: the same on every kernel, each entry by what is seen to happen. */
const ABILITIES: Readonly<Record<string, (scene: Scene) => Promise<Cell>>> = {
  'every program loads and attaches': async ({ arena }) => {
    const needed = arena.agent.families.filter(({ family }) => !OPTIONAL.includes(family));
    const failed = needed.flatMap(({ family, failed: programs }) =>
      programs.map(({ program, error }) => ({ family, text: `${program}: ${error.message}` })),
    );
    if (failed.length === 0) return WORKS;
    const reason = failed.map(({ text }) => text).join('; ');
    const vital = failed.some(
      ({ family }) => family === 'exec' || family === 'cgroup' || family === 'process',
    );
    return vital ? cannot(reason) : { state: 'falls back', to: 'the other detectors', reason };
  },

  'exec is seen with its arguments': async ({ arena }) => {
    await arena.run([arena.standIn('worker'), '-o', POOL, '--marker', 'a b']);
    const { process } = await arena.detected((each) => each.process.argv.includes('--marker'));
    return process.argv.at(-1) === 'a b' ? WORKS : cannot(`it saw ${JSON.stringify(process.argv)}`);
  },

  'a listed program dies before its first instruction': async ({ arena }) => {
    const proof = join(arena.folder, 'it-ran');
    const { signal, output } = await arena.run([arena.standIn('minerd', '/bin/touch'), proof]);
    if (existsSync(proof)) return cannot('it had written its file');
    return signal === 'SIGKILL' || output.includes(REFUSED) ? WORKS : cannot(`it ended with ${signal}`);
  },

  'a listed destination is refused': async (scene) => {
    const { code, output } = await talk(scene, scene.listed, 'hello');
    if (code !== 7 || !output.includes('not permitted'))
      return cannot(`connect ended with ${code}: ${output}`);
    return (await talk(scene, scene.other, 'hello')).output.includes('got ok')
      ? WORKS
      : cannot('another destination was refused as well');
  },

  'a flow that speaks stratum is dropped': async (scene) => {
    const before = scene.other.received().length;
    await talk(scene, scene.other, '{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5"]}');
    return scene.other.received().length === before ? WORKS : cannot('the line arrived');
  },

  "a pool's name is recognised in a DNS query": async ({ arena }) => {
    // The question for gulf.moneroocean.stream, as a resolver sends it; nobody has to answer.
    const query =
      '\\x00\\x07\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00' +
      '\\x04gulf\\x0bmoneroocean\\x06stream\\x00\\x00\\x01\\x00\\x01';
    const asker = arena.standIn('asker', '/bin/bash');
    await arena.run([asker, '-c', `printf '${query}' > /dev/udp/127.0.0.1/53; sleep 0.2`]);
    const { evidence } = await arena.detected(({ rule }) => rule === 'pool-lookup');
    return JSON.stringify(evidence).includes('moneroocean.stream')
      ? WORKS
      : cannot(`it saw ${JSON.stringify(evidence)}`);
  },

  'a quarantined cgroup loses its egress, open connections too': async (scene) => {
    const { arena, other } = scene;
    const group = arena.child('contained');
    const script = `exec 3<>/dev/tcp/127.0.0.1/${other.port} || exit 7; while :; do echo beat >&3; sleep 0.1; done`;
    const child = arena.start([arena.standIn('beater', '/bin/bash'), '-c', script], { cgroup: group });
    try {
      if (!(await until(() => other.received().includes('beat'))))
        return cannot('the stand-in did not talk at first');
      using programs = Programs.load({ cgroupRoot: findHierarchies('/proc').v2?.root });
      programs.control.setCgroup({ id: statSync(group).ino }, POLICY.quarantined);
      await pause(300);
      const silent = other.received().length;
      await pause(1_000);
      if (other.received().length > silent) return cannot('bytes still arrived');
      programs.control.setCgroup({ id: statSync(group).ino }, 0);
      return (await until(() => other.received().length > silent))
        ? WORKS
        : cannot('it stayed cut after the release');
    } finally {
      child.kill('SIGKILL');
    }
  },

  'a cgroup is frozen': async ({ arena }) => {
    const group = arena.child('frozen');
    const child = arena.start([arena.standIn('idler'), '60'], { cgroup: group });
    const state = () => readFileSync(join(group, 'cgroup.events'), 'utf8');
    try {
      if (!(await until(() => state().includes('populated 1')))) return cannot('the stand-in did not start');
      writeFileSync(join(group, 'cgroup.freeze'), '1');
      if (!(await until(() => state().includes('frozen 1')))) return cannot('cgroup.freeze had no effect');
      writeFileSync(join(group, 'cgroup.freeze'), '0');
      return (await until(() => state().includes('frozen 0'))) ? WORKS : cannot('it did not thaw');
    } finally {
      child.kill('SIGKILL');
    }
  },

  'a container is named from its cgroup path': async ({ arena }) => {
    const uid = '0f3a7c1e-5b2d-4e8f-9a6b-1c2d3e4f5a6b';
    const id = `${'c0ffee'.repeat(10)}0123`;
    const path = `kubepods.slice/kubepods-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${id}.scope`;
    const miner = [arena.standIn('worker'), '-o', POOL, '--in-a-container'];
    await arena.run(miner, { cgroup: arena.child(path) });
    const { container } = await arena.detected((each) => each.process.argv.includes('--in-a-container'));
    return container?.podUid === uid && container.id === id
      ? WORKS
      : cannot(`it was named ${JSON.stringify(container)}`);
  },

  'exec is refused by BPF LSM': async ({ arena }) => {
    const { attached = [], failed = [] } = arena.agent.families.find(({ family }) => family === 'lsm') ?? {};
    if (attached.length === 0) {
      const reason = failed.map(({ error }) => reasonOf(error)).join('; ');
      return { state: 'falls back', to: 'SIGKILL at exec', reason };
    }
    // Where BPF LSM is not among the active modules the program loads, and nobody asks it.
    const active = readFileSync('/sys/kernel/security/lsm', 'utf8').split(',').includes('bpf');
    const { output } = await arena.run([arena.standIn('ccminer'), '0']);
    if (!active) {
      const reason = 'BPF LSM is not among the active security modules (lsm= of the kernel command line)';
      return { state: 'falls back', to: 'SIGKILL at exec', reason };
    }
    if (!output.includes(REFUSED)) return cannot(`exec said ${output}`);
    const { action } = await arena.detected(({ process }) => process.exe.endsWith('/ccminer'));
    return action === 'refused' ? WORKS : cannot(`it was reported as ${action}`);
  },
};

/** What gives a program with any name away. */
const POOL = 'stratum+tcp://pool.example:3333';

/** What bash says when the kernel answers EPERM. */
const REFUSED = 'Operation not permitted';

/** Goes through the list on this kernel; needs root, bash and cgroup v2. What throws is an ability that is not there. */
export async function tryAbilities(heard: (result: Result) => void): Promise<Result[]> {
  const listed = await listen();
  const other = await listen();
  const indicators = withExtra(await loadIndicators(), { addresses: [`127.0.0.1:${listed.port}`] });
  const results: Result[] = [];
  const note = (ability: string, cell: Cell) => {
    results.push({ ability, cell });
    heard({ ability, cell });
  };
  try {
    await using arena = await Arena.open({ mode: 'enforce', indicators });
    for (const [ability, attempt] of Object.entries(ABILITIES)) {
      note(ability, await attempt({ arena, listed, other }).catch((error: unknown) => cannot(String(error))));
    }
  } finally {
    listed.server.close();
    other.server.close();
  }
  return results;
}

export const NAMES: readonly string[] = Object.keys(ABILITIES);

async function listen(): Promise<Listener> {
  let received = '';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk;
      socket.write('ok\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, received: () => received };
}

async function until(look: () => boolean): Promise<boolean> {
  const deadline = performance.now() + 8_000;
  while (!look()) {
    if (performance.now() > deadline) return false;
    await pause(20);
  }
  return true;
}
