import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withExtra } from '../../detection/indicators.ts';
import { loadIndicators } from '../../detection/load.ts';
import { Arena, whyNoKernel } from './arena.ts';

const reason = whyNoKernel();

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
