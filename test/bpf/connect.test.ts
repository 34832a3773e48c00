import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { POLICY } from '../../bpf/control.ts';
import { CONNECT_SOURCE, VERDICT } from '../../bpf/events.ts';
import { CgroupFolder } from './cgroup-folder.ts';
import { Recorder } from './recorder.ts';

let recorder: Recorder;
let server: Server;
let port: number;
let cgroup: CgroupFolder;

beforeAll(async () => {
  recorder = new Recorder({ families: ['connect'] });
  cgroup = new CgroupFolder();
  server = createServer((socket) => socket.end()).listen(0, '::');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => {
  recorder[Symbol.dispose]();
  cgroup[Symbol.dispose]();
  server.close();
});

beforeEach(() => recorder.programs.control.setCgroup({ id: cgroup.id }, 0));

/** Connects from a shell in the cgroup; exit status 0 if it worked. The server answers from this process. */
async function connectFromCgroup(host: string): Promise<{ pid: number; status: number; stderr: string }> {
  const script = `${cgroup.enter}; exec 3<>/dev/tcp/${host}/${port}`;
  const child = spawn('/bin/bash', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [status] = (await once(child, 'close')) as [number];
  return { pid: child.pid ?? 0, status, stderr };
}

test('a connect is reported with address, port, cgroup and cookie, by the first witness alone', async () => {
  const { pid, status } = await connectFromCgroup('127.0.0.1');
  expect(status).toBe(0);
  const event = await recorder.seen('connect', (one) => one.tgid === pid);
  expect([event.remoteAddress, event.remotePort, event.family]).toEqual(['127.0.0.1', port, 4]);
  expect([event.source, event.verdict, event.protocol]).toEqual([CONNECT_SOURCE.cgroupHook, VERDICT.none, 6]);
  expect(event.cgroupId).toBe(cgroup.id);
  expect(event.cookie).toBeGreaterThan(0);
  // The second witness speaks, if at all, before the connect returns; whatever follows is behind it in the ring.
  await connectFromCgroup('127.0.0.1');
  const twins = recorder.events.filter((one) => one.cookie === event.cookie);
  expect(twins).toHaveLength(1);
});

test('the second witness reports what the first did not see', async () => {
  using alone = new Recorder({ families: ['connect'], cgroupRoot: undefined });
  const failed = alone.programs.families.flatMap((family) => family.failed.map(({ program }) => program));
  expect(failed).toEqual(['on_connect4', 'on_connect6']);
  const { pid } = await connectFromCgroup('127.0.0.1');
  const event = await alone.seen('connect', (one) => one.tgid === pid);
  expect([event.source, event.remoteAddress, event.remotePort]).toEqual([
    CONNECT_SOURCE.sockState,
    '127.0.0.1',
    port,
  ]);
});

test('IPv6 and IPv4 within IPv6 are told apart', async () => {
  const six = connect({ host: '::1', port }).on('error', () => {});
  const mapped = connect({ host: '::ffff:127.0.0.1', port }).on('error', () => {});
  await Promise.all([once(six, 'close'), once(mapped, 'close')]);
  await recorder.seen('connect', (one) => one.tgid === process.pid && one.remoteAddress === '::1');
  const event = await recorder.seen(
    'connect',
    (one) => one.tgid === process.pid && one.remoteAddress === '127.0.0.1',
  );
  expect(event.family).toBe(4);
});

test.each([
  ['its address and port', () => ({ address: '127.0.0.1', port })],
  ['its network', () => ({ address: '127.0.0.0', prefix: 8 })],
  ['its network and port', () => ({ address: '127.0.0.0', prefix: 24, port })],
])(
  'a destination listed by %s is refused with EPERM where that is enforced, and only reported elsewhere',
  async (_how, destination) => {
    const { control } = recorder.programs;
    control.listDestination(destination(), 42);
    const before = await connectFromCgroup('127.0.0.1');
    control.setCgroup({ id: cgroup.id }, POLICY.refuse);
    const after = await connectFromCgroup('127.0.0.1');
    control.unlistDestination(destination());
    const free = await connectFromCgroup('127.0.0.1');

    expect([before.status, after.status, free.status]).toEqual([0, 1, 0]);
    expect(after.stderr).toContain('Operation not permitted');
    const listed = await recorder.seen('connect', (one) => one.tgid === before.pid);
    expect([listed.rule, listed.verdict]).toEqual([42, VERDICT.listed]);
    const refused = await recorder.seen('connect', (one) => one.tgid === after.pid);
    expect([refused.rule, refused.verdict]).toEqual([42, VERDICT.enforced]);
  },
);

test('TCP fast open, which no connect system call shows, is seen and refused like any other', async () => {
  const { control } = recorder.programs;
  const send = `import socket; socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', ${port}))`;
  const run = async () => {
    const child = spawn('/bin/bash', ['-c', `${cgroup.enter}; exec python3 -c "${send}"`], {
      stdio: 'ignore',
    });
    const [status] = (await once(child, 'close')) as [number];
    return { pid: child.pid, status };
  };
  const free = await run();
  expect(free.status).toBe(0);
  await recorder.seen('connect', (one) => one.tgid === free.pid && one.remotePort === port);
  control.listDestination({ address: '127.0.0.1', port }, 44);
  control.setCgroup({ id: cgroup.id }, POLICY.refuse);
  const refused = await run();
  control.unlistDestination({ address: '127.0.0.1', port });
  expect(refused.status).toBe(1);
  const event = await recorder.seen('connect', (one) => one.tgid === refused.pid);
  expect([event.rule, event.verdict]).toEqual([44, VERDICT.enforced]);
});

test('another port of a listed destination is free', async () => {
  const { control } = recorder.programs;
  control.listDestination({ address: '127.0.0.1', port: port + 1 }, 43);
  control.setCgroup({ id: cgroup.id }, POLICY.refuse);
  const { status } = await connectFromCgroup('127.0.0.1');
  control.unlistDestination({ address: '127.0.0.1', port: port + 1 });
  expect(status).toBe(0);
});

test('a quarantined cgroup connects nowhere, except to loopback if that is allowed', async () => {
  const { control } = recorder.programs;
  control.setCgroup({ id: cgroup.id }, POLICY.quarantined);
  const cut = await connectFromCgroup('127.0.0.1');
  control.setCgroup({ id: cgroup.id }, POLICY.quarantined | POLICY.allowLoopback);
  const allowed = await connectFromCgroup('127.0.0.1');
  expect([cut.status, allowed.status]).toEqual([1, 0]);
});

test('a UDP socket that is connected makes no noise', () => {
  const { pid } = spawnSync('/bin/bash', ['-c', 'exec 3<>/dev/udp/127.0.0.1/9']);
  expect(recorder.find('connect', (one) => one.tgid === pid)).toBeUndefined();
});
