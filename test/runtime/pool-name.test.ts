import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Arena, whyNoKernel } from './arena.ts';

const reason = whyNoKernel();

describe.skipIf(reason)(`pools by name on this kernel${reason ? ` (${reason})` : ''}`, () => {
  let arena: Arena;
  let server: Server;
  beforeAll(async () => {
    arena = await Arena.open();
    server = createServer((socket) => socket.on('error', () => {}).on('data', () => socket.destroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    await arena?.[Symbol.asyncDispose]();
    server?.close();
  });

  it('a lookup alone is a suspicion that contains nothing', async () => {
    const script = `
      const { Resolver } = require('node:dns');
      const resolver = new Resolver({ timeout: 100, tries: 1 });
      resolver.setServers(['127.0.0.1']);
      resolver.resolve4('gulf.moneroocean.stream', () => {});`;
    await arena.run([process.execPath, '-e', script]);
    const { confidence, evidence, process: who } = await arena.detected(({ rule }) => rule === 'pool-lookup');
    expect(evidence.pools).toEqual(['moneroocean.stream']);
    // The argument mentions the pool as well; together they are far from what contains.
    expect(confidence).toBeLessThan(0.9);
    expect(who.exe).toBe(process.execPath);
  });

  it('a server name on a port of its own is conclusive', async () => {
    const { port } = server.address() as AddressInfo;
    const script = `
      const socket = require('node:tls').connect({ host: '127.0.0.1', port: ${port}, servername: 'pool.supportxmr.com' });
      socket.on('error', () => process.exit());`;
    await arena.run([process.execPath, '-e', script]);
    const { confidence, evidence } = await arena.detected(({ rule }) => rule === 'pool-host');
    expect(confidence).toBe(1);
    expect(evidence).toMatchObject({
      pools: ['supportxmr.com'],
      destinations: [{ address: '127.0.0.1', port }],
    });
  });
});
