import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { POLICY } from '../../bpf/control.ts';
import { EVENT, VERDICT } from '../../bpf/events.ts';
import { CgroupFolder } from './cgroup-folder.ts';
import { Recorder } from './recorder.ts';

let recorder: Recorder;
let server: Server;
let port: number;
const children: ChildProcess[] = [];

beforeAll(async () => {
  recorder = new Recorder({ families: ['connect', 'egress'] });
  // A client that connects again resets what it had.
  server = createServer((one) => one.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  }
});

afterAll(() => {
  recorder[Symbol.dispose]();
  server.close();
});

interface Client {
  pid: number;
  send(line: string): void;
  /** Our end of its connection. */
  socket: Socket;
}

/** A process in the cgroup that sends each line of its standard input over one connection. */
async function openClient(cgroup: CgroupFolder): Promise<Client> {
  const script = `${cgroup.enter}; exec 3<>/dev/tcp/127.0.0.1/${port}; while IFS= read -r line; do printf '%s\\n' "$line" >&3; done`;
  const child = spawn('/bin/bash', ['-c', script], { stdio: ['pipe', 'ignore', 'inherit'] });
  children.push(child);
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => {});
  return { pid: child.pid ?? 0, send: (line) => child.stdin.write(`${line}\n`), socket };
}

const received = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0]);

/** Everything up to the end of `text`: several lines may arrive one after the other. */
async function receivedUntil(socket: Socket, text: string): Promise<string> {
  let all = '';
  while (!all.endsWith(text)) all += await received(socket);
  return all;
}

test('quarantine cuts a connection that exists, of a cgroup below the one that is named', async () => {
  using pod = new CgroupFolder();
  using container = new CgroupFolder(pod);
  const { control } = recorder.programs;
  const client = await openClient(container);
  client.send('before');
  expect(await received(client.socket)).toBe('before\n');

  control.setCgroup({ id: pod.id }, POLICY.quarantined);
  client.send('during');
  const event = await recorder.seen('quarantine', (one) => one.cgroupId === container.id);
  expect([event.verdict, event.remotePort, event.tgid]).toEqual([VERDICT.enforced, port, client.pid]);
  expect(client.socket.bytesRead).toBe('before\n'.length);

  // Released, TCP sends again what was dropped: it was cut, not broken.
  const late = received(client.socket);
  control.setCgroup({ id: pod.id }, 0);
  expect(await late).toBe('during\n');
  const once = recorder.events.filter((one) => one.type === event.type && one.cookie === event.cookie);
  expect(once).toHaveLength(1);
});

test('quarantine leaves what it is told to allow, and cuts the rest', async () => {
  using cgroup = new CgroupFolder();
  const { control } = recorder.programs;
  const client = await openClient(cgroup);
  control.setCgroup({ id: cgroup.id }, POLICY.quarantined);
  control.allowDestination({ address: '127.0.0.0', prefix: 8, port });
  const arrived = received(client.socket);
  client.send('allowed');
  expect(await arrived).toBe('allowed\n');
  // New connections to it go through as well; without the exception neither they nor the old one do.
  await openClient(cgroup);
  control.disallowDestination({ address: '127.0.0.0', prefix: 8, port });
  client.send('late');
  await recorder.seen('quarantine', (one) => one.cgroupId === cgroup.id && one.tgid === client.pid);
  expect(client.socket.bytesRead).toBe('allowed\n'.length);
  control.setCgroup({ id: cgroup.id }, 0);
});

test.each([
  [
    'login',
    '{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4AB","pass":"x","agent":"a/1","algo":["rx/0"]}}',
  ],
  ['login', '{"params":{"agent":"a/1","pass":"x","login":"4AB"},"id":1,"method":"login"}'],
  ['login', `{"params":{"algo":[${'"cn/fast",'.repeat(40)}"rx/0"]}, "method" : "login"}`],
  ['mining.subscribe', '{"id": 1, "method": "mining.subscribe", "params": []}'],
  ['mining.authorize', '{"params":["user.worker","x"],"method":"mining.authorize","id":2}'],
  ['mining.*', '{"method":"mining.configure","params":[]}'],
  ['eth_submitLogin', '{"jsonrpc":"2.0","method":"eth_submitLogin","params":["0x00"]}'],
  ['eth_work', '{"worker":"w","method":"eth_submitWork","params":[]}'],
  ['getjobtemplate', '{"method":"getjobtemplate","params":null}'],
  ['submit', '{"method":"submit","params":{"id":"1","job_id":"2","nonce":"3","result":"4"}}'],
  ['keepalived', '{"id":9,"method":"keepalived","params":{"id":"1"}}'],
  ['mining.subscribe', '{"id":1,"\\u006dethod":"mini\\u006eg.subscribe","params":[]}'],
  ['mining.subscribe', '{"params":{"method":"ping"},"method":"mining.subscribe"}'],
  ['mining.authorize', '[{"method":"ping"},{"method":"mining.authorize"}]'],
  ['mining.subscribe', `{"pad":"${'x'.repeat(3500)}","method":"mining.subscribe"}`],
  ['mining.subscribe', 'CONNECT pool:3333 HTTP/1.1\r\n\r\n{"method":"mining.subscribe"}'],
  ['bare login', '{"method":"login","params":{"login":"me","password":"x","agent":"app/1"}}'],
  ['getjobtemplate', 'POST / HTTP/1.1 {"method":"getblocktemplate","params":[{"rules":["segwit"]}]}'],
])('%s is recognised on any port: %s', async (method, line) => {
  using cgroup = new CgroupFolder();
  const client = await openClient(cgroup);
  const arrived = receivedUntil(client.socket, `${line}\n`);
  client.send(line);
  const event = await recorder.seen('stratum', (one) => one.cgroupId === cgroup.id);
  expect([event.method, event.verdict, event.tgid]).toEqual([method, VERDICT.listed, client.pid]);
  expect([event.remoteAddress, event.remotePort]).toEqual(['127.0.0.1', port]);
  expect(event.cookie).toBe(recorder.find('connect', (one) => one.tgid === client.pid)?.cookie);
  expect(await arrived).toBe(`${line}\n`);
});

test.each([
  '{"id":1,"method":"login","params":{"user":"me","pass":"secret"}}',
  '{"jsonrpc":"2.0","method":"submit","params":{"form":"1"}}',
  '{"jsonrpc":"2.0","method":"eth_blockNumber","params":[]}',
  '{"method":"login","params":{"user":"me","pass":"x","algo":"scram-sha-256"}}',
  'GET /?q="method":"mining.subscribe" HTTP/1.1',
  '{"method":"data.mining.subscribe"}',
  '{"text":"mining.subscribe","agent":"x","algo":"y"}',
  '{"text":"{\\"method\\":\\"mining.subscribe\\"}","method":"GET"}',
  'POST /rpc HTTP/1.1 {"method":"login","params":{"login":"me","pass":"x"}}',
  '{"method":"login","params":{"user":"me"}}{"method":"hash","params":{"algo":"sha256"}}',
])('is not mining: %s', async (line) => {
  using cgroup = new CgroupFolder();
  const client = await openClient(cgroup);
  client.send(line);
  await received(client.socket);
  // A recognised line of another connection shows that the one before has been judged.
  const other = await openClient(cgroup);
  other.send('{"method":"keepalived"}');
  const first = await recorder.seen('stratum', (one) => one.cgroupId === cgroup.id);
  expect(first.method).toBe('keepalived');
});

test('what other services may say as well is told, let pass where it is enforced, and looked at further', async () => {
  using cgroup = new CgroupFolder();
  const client = await openClient(cgroup);
  recorder.programs.control.setCgroup({ id: cgroup.id }, POLICY.drop);
  const events = () =>
    recorder.events.filter((one) => one.cgroupId === cgroup.id && one.type === EVENT.stratum);
  const arrived = received(client.socket);
  client.send('{"method":"mining.start_job","params":{"dataset":"sales"}}');
  expect(await arrived).toContain('start_job');
  client.send('{"method":"submit","params":{"job_id":"1","nonce":"2"}}');
  await expect
    .poll(() => events().map(({ method, verdict }) => [method, verdict]))
    .toEqual([
      ['mining.*', VERDICT.listed],
      ['submit', VERDICT.enforced],
    ]);
  recorder.programs.control.setCgroup({ id: cgroup.id }, 0);
});

test('where it is enforced, neither the first message nor what follows gets out', async () => {
  using cgroup = new CgroupFolder();
  const client = await openClient(cgroup);
  recorder.programs.control.setCgroup({ id: cgroup.id }, POLICY.drop);
  client.send('{"method":"mining.subscribe"}');
  const event = await recorder.seen('stratum', (one) => one.cgroupId === cgroup.id);
  expect(event.verdict).toBe(VERDICT.enforced);
  const late = received(client.socket);
  client.send('more');
  expect(client.socket.bytesRead).toBe(0);
  recorder.programs.control.setCgroup({ id: cgroup.id }, 0);
  expect(await late).toContain('mining.subscribe');
});

test('a socket keeps its name when others take its place, and begins anew when it connects again', async () => {
  // Cookies count up by 4096 a CPU; sockets whose cookies end alike share a place until they speak.
  const script = `
import ctypes, os, socket, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
def fresh():
    one = socket.socket()
    return one, int.from_bytes(one.getsockopt(socket.SOL_SOCKET, 57, 8), 'little')
def say(one):
    one.send(b'{"method":"mining.subscribe"}\\n')
first, cookie = fresh()
first.connect(('127.0.0.1', ${port}))
say(first)
for _ in range(2000000):
    second, other = fresh()
    if (other - cookie) % 32768 == 0: break
    second.close()
second.connect(('127.0.0.1', ${port}))
for one in second, first, second:
    say(one)
unspecified = bytes(16)
if ctypes.CDLL(None).connect(first.fileno(), unspecified, len(unspecified)): sys.exit('not disconnected')
first.connect(('127.0.0.1', ${port}))
say(first)
print(cookie, other)
sys.stdin.read()`;
  const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [first, second] = String((await once(child.stdout, 'data'))[0])
    .split(' ')
    .map(Number);
  const told = () =>
    recorder.events
      .filter(({ type, cookie }) => type === EVENT.stratum && [first, second].includes(cookie))
      .map(({ cookie, tgid, method }) => [cookie, tgid, method]);
  await expect.poll(told).toEqual([
    [first, child.pid, 'mining.subscribe'],
    [second, child.pid, 'mining.subscribe'],
    [first, child.pid, 'mining.subscribe'],
  ]);
});
