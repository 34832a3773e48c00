import { spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { POLICY } from '../../bpf/control.ts';
import { CONNECT_SOURCE, VERDICT } from '../../bpf/events.ts';
import { CgroupFolder } from './cgroup-folder.ts';
import { Recorder } from './recorder.ts';

const DOMAIN = 7;

let recorder: Recorder;
let cgroup: CgroupFolder;
let server: Server;
let resolver: UdpSocket;
let hellos: number;
beforeAll(async () => {
  recorder = new Recorder({ families: ['connect', 'egress', 'names'] });
  recorder.programs.control.listDomain('Pool.Example.com', DOMAIN);
  recorder.programs.control.listDomain('coins.example', DOMAIN + 1);
  cgroup = new CgroupFolder();
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      hellos++;
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  resolver = createSocket('udp4').bind(0, '127.0.0.1');
  await once(resolver, 'listening');
});
beforeEach(() => {
  hellos = 0;
  recorder.events.length = 0;
});
afterAll(() => {
  recorder[Symbol.dispose]();
  cgroup[Symbol.dispose]();
  server.close();
  resolver.close();
});

/** Runs a script of Node's in the cgroup, to its end. */
async function inside(script: string): Promise<void> {
  const child = spawn('/bin/bash', ['-c', `${cgroup.enter}; exec "$0" -e "$1"`, process.execPath, script], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await once(child, 'close');
}

const portOf = () => (server.address() as AddressInfo).port;

/** The question for a name, to port 53 of an address where nobody answers, by a socket that is connected or not. */
const ask = (name: string, connected: boolean) =>
  inside(`
    const labels = ${JSON.stringify(name)}.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
    const query = Buffer.concat([Buffer.from([0,7,1,0,0,1,0,0,0,0,0,0]), ...labels, Buffer.from([0,0,1,0,1])]);
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('error', () => {});
    const send = () => socket.send(query, ...(${connected} ? [] : [53, '127.0.0.1']), () => setTimeout(() => socket.close(), 50));
    ${connected} ? socket.connect(53, '127.0.0.1', send) : send();`);

const greet = (name: string) =>
  inside(`
    const socket = require('node:tls').connect({ host: '127.0.0.1', port: ${portOf()}, servername: ${JSON.stringify(name)} });
    socket.on('error', () => process.exit());
    setTimeout(() => process.exit(), 700);`);

const named = () => recorder.find('name', (event) => event.cgroupId === cgroup.id);

describe('a question to DNS', () => {
  test.each([
    ['the domain itself', 'pool.example.com', DOMAIN],
    ['a host below it, in capitals', 'XMR-eu1.POOL.example.COM', DOMAIN],
    ['the domain with the search path of a pod', 'pool.example.com.shop.svc.cluster.local', DOMAIN],
    ['a host with it, in a cluster of another name', 'eu.pool.example.com.shop.svc.k8s.corp.test', DOMAIN],
    ['another domain', 'a.b.c.d.e.f.coins.example', DOMAIN + 1],
  ])('for %s is told by its number', async (_, name, rule) => {
    await ask(name, true);
    const event = await recorder.seen('name', (each) => each.cgroupId === cgroup.id);
    expect({
      rule: event.rule,
      source: event.source,
      verdict: event.verdict,
      port: event.remotePort,
    }).toEqual({
      rule,
      source: CONNECT_SOURCE.dns,
      verdict: VERDICT.listed,
      port: 53,
    });
    expect(event.tgid).toBeGreaterThan(0);
  });

  test('by a socket that is not connected is told with its cgroup', async () => {
    await ask('pool.example.com', false);
    await recorder.seen('name', (each) => each.cgroupId === cgroup.id && each.rule === DOMAIN);
  });

  test.each([
    'notpool.example.com',
    'example.com',
    'pool.example.com.evil.test',
    'pool.example.co',
    'com',
    'pool.shop.svc.cluster.local',
  ])("for %s is nobody's business", async (name) => {
    await ask(name, true);
    await ask('pool.example.com', true);
    await recorder.seen('name', (each) => each.cgroupId === cgroup.id && each.rule === DOMAIN);
    expect(
      recorder.events.filter((each) => each.cgroupId === cgroup.id && each.source === CONNECT_SOURCE.dns),
    ).toHaveLength(1);
  });
});

describe('a TLS server name', () => {
  test('of a listed domain is told, on any port, with who connected', async () => {
    await greet('eu.pool.example.com');
    const event = await recorder.seen('name', (each) => each.cgroupId === cgroup.id);
    expect({ rule: event.rule, source: event.source, port: event.remotePort }).toEqual({
      rule: DOMAIN,
      source: CONNECT_SOURCE.tls,
      port: portOf(),
    });
    expect(event.comm).not.toBe('');
    expect(hellos).toBe(1);
  });

  test("of another domain is nobody's business", async () => {
    await greet('spool.example.com');
    expect(hellos).toBe(1);
    expect(named()).toBeUndefined();
  });

  test('keeps the connection from coming about where that is asked for', async () => {
    const { control } = recorder.programs;
    control.setCgroup({ id: cgroup.id }, POLICY.drop);
    try {
      await greet('pool.example.com');
      const event = await recorder.seen('name', (each) => each.cgroupId === cgroup.id);
      expect(event.verdict).toBe(VERDICT.enforced);
      expect(hellos).toBe(0);
    } finally {
      control.setCgroup({ id: cgroup.id }, 0);
    }
  });
});

test('whatever is sent, nothing is taken for a name that was not said', async () => {
  await inside(
    `const socket = require('node:dgram').createSocket('udp4');
     let seed = 1;
     const random = (most) => (seed = (seed * 1103515245 + 12345) % 2147483648) % most;
     socket.connect(53, '127.0.0.1', async () => {
       for (let n = 0; n < 2000; n++) {
         const bytes = Buffer.from(Array.from({ length: random(300) }, () => random(4) ? random(64) : random(256)));
         await new Promise((done) => socket.send(bytes, () => done()));
       }
       socket.close();
     });
     socket.on('error', () => {});`,
  );
  expect(named()).toBeUndefined();
});

describe('a proxy that is asked to connect', () => {
  const request = (host: string, port: number) =>
    Buffer.from([5, 1, 0, 3, host.length, ...Buffer.from(host), port >> 8, port & 0xff]);
  const say = (bytes: Buffer) =>
    inside(`
      const socket = require('node:net').connect(${portOf()}, '127.0.0.1');
      socket.write(Buffer.from('${bytes.toString('hex')}', 'hex'));
      socket.on('error', () => {}).on('close', () => process.exit());`);

  test.each([
    ['by SOCKS5', request('EU.pool.example.com', 3333), 3333],
    [
      'by SOCKS5, with its greeting',
      Buffer.concat([Buffer.from([5, 1, 0]), request('pool.example.com', 443)]),
      443,
    ],
    ['by HTTP', Buffer.from('CONNECT Pool.example.com:14444 HTTP/1.1\r\n\r\n'), 14_444],
  ])('%s, to a listed name is told with the port', async (_, bytes, port) => {
    await say(bytes);
    // Greetings that were dropped above may be sent once more.
    const event = await recorder.seen('name', ({ source }) => source === CONNECT_SOURCE.proxy);
    expect([event.cgroupId, event.rule, event.askedPort]).toEqual([cgroup.id, DOMAIN, port]);
  });

  test.each([
    ['by SOCKS5', request('www.example.com', 443)],
    ['by HTTP', Buffer.from('CONNECT pool.example.community:443 HTTP/1.1\r\n\r\n')],
  ])('%s, to another name is nobody’s business', async (_, bytes) => {
    await say(bytes);
    await expect.poll(() => hellos).toBe(1);
    expect(recorder.find('name', (one) => one.source === CONNECT_SOURCE.proxy)).toBeUndefined();
  });
});
