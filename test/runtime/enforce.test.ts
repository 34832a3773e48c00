import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withExtra } from '../../detection/indicators.ts';
import { loadIndicators } from '../../detection/load.ts';
import { Freezer } from '../../runtime/freezer.ts';
import { stderrLog } from '../../runtime/log.ts';
import { Arena, whyNoKernel } from './arena.ts';

const reason = whyNoKernel();

const isFrozen = (cgroup: string) => readFileSync(join(cgroup, 'cgroup.events'), 'utf8').includes('frozen 1');

describe.skipIf(reason)(`enforcement on this kernel${reason ? ` (${reason})` : ''}`, () => {
  let arena: Arena;
  let listed: Server;
  let other: Server;
  let received = '';

  const listen = async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        received += chunk;
        socket.end('ok\n');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const portOf = (server: Server) => (server.address() as AddressInfo).port;

  beforeAll(async () => {
    listed = await listen();
    other = await listen();
    const indicators = withExtra(await loadIndicators(), { addresses: [`127.0.0.1:${portOf(listed)}`] });
    arena = await Arena.open({ mode: 'enforce', indicators });
  });
  afterAll(async () => {
    await arena?.[Symbol.asyncDispose]();
    listed?.close();
    other?.close();
  });

  it('kills a listed program before its first instruction, and still hashes it', async () => {
    const proof = join(arena.folder, 'it-ran');
    const xmrig = arena.standIn('xmrig', '/bin/touch');
    expect(await arena.run([xmrig, proof])).toMatchObject({ signal: 'SIGKILL' });
    expect(existsSync(proof)).toBe(false);
    const detection = await arena.detected(({ process }) => process.argv.includes(proof));
    expect(detection).toMatchObject({
      rule: 'miner-name',
      action: 'killed',
      process: { sha256: expect.any(String) },
    });
  });

  it('kills a renamed miner by its arguments', async () => {
    const quiet = arena.standIn('quiet', '/bin/bash');
    const child = arena.start([
      quiet,
      '-c',
      'sleep 20; true',
      '--donate-level=1',
      '-o',
      'stratum+tcp://pool.example:3333',
    ]);
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    await arena.detected(({ process, action }) => process.exe === quiet && action === 'killed');
  });

  it('leaves what is not in its scope alone', async () => {
    const outside = await Arena.open({ mode: 'detect' });
    try {
      expect(await outside.run([outside.standIn('xmrig'), '0'])).toMatchObject({ code: 0 });
      await outside.detected(({ action }) => action === 'none');
    } finally {
      await outside[Symbol.asyncDispose]();
    }
  });

  const connect = (name: string, server: Server, line = 'hello') =>
    arena.run([
      arena.standIn(name, '/bin/bash'),
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/${portOf(server)} || exit 7; echo '${line}' >&3; read -t 0.5 answer <&3; echo "got $answer"`,
    ]);

  it('refuses a connection to a listed destination, and no other', async () => {
    const refused = await connect('dialer', listed);
    expect(refused).toMatchObject({ code: 7, output: expect.stringContaining('not permitted') });
    const detection = await arena.detected(({ rule }) => rule === 'pool-address');
    expect(detection).toMatchObject({
      action: 'refused',
      evidence: { destinations: [{ address: '127.0.0.1', port: portOf(listed) }] },
    });
    expect(await connect('caller', other)).toMatchObject({
      code: 0,
      output: expect.stringContaining('got ok'),
    });
  });

  it('keeps the pool protocol from leaving', async () => {
    received = '';
    const login = '{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5"]}';
    const { output } = await connect('talker', other, login);
    expect(output).not.toContain('got ok');
    await arena.detected(
      ({ rule, action }) => rule === 'pool-protocol' && (action === 'dropped' || action === 'killed'),
    );
    expect(received).toBe('');
  });

  it('freezes a container instead where that is wanted, and thaws it when the agent ends', async () => {
    const calm = await Arena.open({ mode: 'enforce', stop: 'freeze' });
    try {
      const cgroup = calm.child('evidence');
      const child = calm.start([calm.standIn('xmrig'), '60'], { cgroup });
      const { action } = await calm.detected(
        ({ rule, action }) => rule === 'miner-name' && action !== 'none',
      );
      expect(action).toBe('frozen');
      await expect.poll(() => isFrozen(cgroup)).toBe(true);
      expect(child.exitCode ?? child.signalCode).toBeNull();
      await calm.agent.close();
      await expect.poll(() => isFrozen(cgroup)).toBe(false);
    } finally {
      await calm[Symbol.asyncDispose]();
    }
  });

  it('thaws what an agent left frozen that was killed', async () => {
    await using calm = await Arena.open();
    const cgroup = calm.child('left');
    const file = join(calm.folder, 'frozen');
    const options = { mounts: { v2: dirname(calm.cgroup), v1: undefined }, file, log: stderrLog('error') };
    const path = `${calm.path}/left`;
    const identity = { path, podUid: null, containerId: null };
    expect(new Freezer(options).freeze({ cgroup: path, identity })).toBe(true);
    await expect.poll(() => isFrozen(cgroup)).toBe(true);
    new Freezer(options);
    await expect.poll(() => isFrozen(cgroup)).toBe(false);
    expect(existsSync(file)).toBe(false);
  });

  it('ends with the agent', async () => {
    const short = await Arena.open({ mode: 'enforce' });
    try {
      const xmrig = short.standIn('xmrig');
      expect(await short.run([xmrig, '0'])).toMatchObject({ signal: 'SIGKILL' });
      await short.agent.close();
      expect(await short.run([xmrig, '0'])).toMatchObject({ code: 0 });
    } finally {
      await short[Symbol.asyncDispose]();
    }
  });
});
