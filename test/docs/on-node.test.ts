import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImages, imageFile, TARGETS } from '../../build/image.ts';
import { findBinaries } from '../cluster/binaries.ts';
import { type RunningCluster, startCluster } from '../cluster/cluster.ts';
import { eventually } from '../cluster/eventually.ts';
import { enterNetworkNamespace } from '../cluster/network-namespace.ts';
import { clusterTests } from '../cluster/requirement.ts';
import { type Block, blocksOf, isRunnable, placeOf, ROOT } from './blocks.ts';
import { Reader } from './reader.ts';

const NAME = 'walk-test';
/** Where the agent of the manifest keeps what it could not send; the node is this machine. */
const SPOOL = '/var/lib/kubesentry';

const shellBlocks = (page: string) => blocksOf(page).filter(({ language }) => language === 'sh');

/** What only a kubelet answers; the installation of the quick start is there by then. */
const LOGS = shellBlocks('docs/runbooks.md').filter(({ title }) => title === 'needs-kubelet');

describe.skipIf(clusterTests.skipWithNode)('somebody who follows the quick start on a real node', () => {
  let cluster: RunningCluster;
  let reader: Reader;
  const hadSpool = existsSync(SPOOL);

  beforeAll(async () => {
    cluster = await startCluster({ name: NAME, node: true });
    reader = new Reader(findBinaries()?.kubectl ?? [], cluster.kubeconfig, enterNetworkNamespace(NAME));
    await buildImages(() => {});
    for (const target of TARGETS) cluster.loadImage(imageFile(target));
  }, 240_000);
  afterAll(async () => {
    await cluster?.stop();
    reader?.leave();
    if (!hadSpool) rmSync(SPOOL, { recursive: true, force: true });
  });

  async function follow(block: Block): Promise<void> {
    const { status, output } = await reader.follow(block);
    const told = `${placeOf(block)}\n${block.text}\n--- ${status}\n${output}`;
    if (block.title === 'is-refused') expect(output, told).toMatch(/denied the request|is in quarantine/);
    expect(status === 0, told).toBe(block.title !== 'is-refused');
  }

  /** The API server takes a moment to ask a webhook that was registered anew. */
  const isAsked = () =>
    eventually('a refusal', async () => {
      const miner = ['apply', '--dry-run=server', '-f', 'test/fixtures/xmrig-daemonset.yaml'];
      return (await cluster.kubectl(miner)).stderr.includes('denied the request');
    });

  it('reaches the cluster in the shell that is opened beside it', async () => {
    const command = [join(ROOT, 'test/cluster/main.ts'), 'shell', '--name', NAME, 'kubectl', 'get', 'nodes'];
    const { stdout } = await promisify(execFile)(process.execPath, command);
    expect(stdout).toMatch(/ Ready /);
  });

  it('comes to a refused miner, reads the logs, and goes back to a clean cluster', {
    timeout: 240_000,
  }, async () => {
    for (const block of shellBlocks('docs/quick-start.md')) {
      if (!isRunnable(block)) continue;
      await follow(block);
      if (!/rollout status daemonset/.test(block.text)) continue;
      await isAsked();
      for (const log of LOGS) await follow(log);
    }
    expect(LOGS.length).toBeGreaterThan(0);
    const kinds =
      'ns,crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration,validatingadmissionpolicy,' +
      'validatingadmissionpolicybinding,priorityclass';
    const { stdout } = await cluster.kubectl(['get', kinds, '-o', 'name']);
    expect(stdout).toContain('namespace/default');
    expect(stdout).not.toMatch(/kubesentry|shop/);
  });
});
