import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { KIND } from '../../kube/kind.ts';
import { policyProblems } from '../../webhook/policy-problems.ts';
import { findBinaries } from '../cluster/binaries.ts';
import { eventually } from '../cluster/eventually.ts';
import { clusterTests } from '../cluster/requirement.ts';
import { workloadOf } from '../webhook/harness.ts';
import { type Block, blocksOf, isRunnable, PAGES, placeOf } from './blocks.ts';
import { PlaceToInstall } from './installation.ts';
import { Reader } from './reader.ts';

const shellBlocks = PAGES.flatMap(blocksOf).filter(({ language }) => language === 'sh');

it('every command that is run is on a page that somebody follows below', () => {
  const pages = new Set(shellBlocks.filter(isRunnable).map(({ page }) => page));
  expect([...pages].sort()).toEqual([...FOLLOWED].sort());
});

const QUICK_START = 'docs/quick-start.md';

/** In this order: the first begins with an empty cluster and leaves one behind, the last does so too. */
const FOLLOWED = [
  QUICK_START,
  'README.md',
  'docs/concepts.md',
  'docs/monitoring.md',
  'docs/audit.md',
  'docs/response.md',
  'docs/runbooks.md',
  'docs/upgrade.md',
];

describe.skipIf(clusterTests.skip)('somebody who follows the pages on a real control plane', () => {
  let place: PlaceToInstall;
  let reader: Reader;

  beforeAll(async () => {
    place = await PlaceToInstall.open('docs-test');
    reader = new Reader(findBinaries()?.kubectl ?? [], place.server.kubeconfig);
  });
  afterAll(async () => {
    await place?.close();
    reader?.leave();
  });

  it.each(FOLLOWED)(
    '%s',
    async (page) => {
      for (const block of blocksOf(page).filter(({ language }) => language === 'sh')) {
        // The plugin is needed further down; what else needs no cluster has a test of its own.
        if (!isRunnable(block) || (block.title === 'offline' && page !== QUICK_START)) continue;
        if (/\bshop\b/.test(block.text) && page !== QUICK_START) await server('create', 'namespace', 'shop');
        if (block.text.includes('DaemonSet/kube-proxy'))
          await place.admin.create(KIND.DaemonSet, workloadOf('DaemonSet', 'kube-proxy', 'kube-system'));
        const { status, output } = await reader.follow(block, await namesFor(block));
        const told = `${placeOf(block)}\n${block.text}\n--- ${status}\n${output}`;
        if (block.title === 'is-refused') expect(output, told).toMatch(/denied the request|is in quarantine/);
        expect(status === 0, told).toBe(block.title !== 'is-refused');
        if (/rollout status deployment/.test(block.text)) await isAsked();
      }
      if (page === QUICK_START || page === 'docs/upgrade.md') expect(await remains()).toEqual([]);
    },
    120_000,
  );

  describe('and the policy cookbook', () => {
    beforeAll(async () => {
      for (const args of [
        ['create', 'namespace', 'kubesentry-system'],
        ['apply', '--server-side', '-f', 'manifests/base/crds.yaml'],
        ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all'],
      ]) {
        expect(await place.server.kubectl(args)).toMatchObject({ status: 0 });
      }
    });

    it.each(blocksOf('docs/policies.md').map((block) => [placeOf(block), block] as const))(
      'takes the policy at %s',
      async (_place, { text }) => {
        expect(policyProblems(parse(text).spec)).toEqual([]);
        expect(await place.server.kubectl(['apply', '--dry-run=server', '-f', '-'], text)).toMatchObject({
          status: 0,
          stderr: '',
        });
      },
    );
  });

  /** The API server takes a moment to ask a webhook that was registered anew. */
  async function isAsked(): Promise<void> {
    const miner = ['apply', '--dry-run=server', '-f', 'test/fixtures/xmrig-daemonset.yaml'];
    await eventually('a refusal', async () => (await server(...miner)).stderr.includes('denied the request'));
  }

  const server = (...args: string[]) => place.server.kubectl(args);

  /** What stands for the capital words of a block; made when somebody asks for it. */
  async function namesFor({ text }: Block): Promise<Record<string, string>> {
    const names: Record<string, string> = {};
    if (/\b(INCIDENT|QUARANTINE)\b/.test(text)) {
      const incident = await openIncident();
      names.INCIDENT = incident;
      names.QUARANTINE = incident;
    }
    if (/\bDENIAL\b/.test(text)) names.DENIAL = await someDenial();
    return names;
  }

  /** One that is contained, the one before if it still is. */
  async function openIncident(): Promise<string> {
    const contained = async () =>
      (await place.admin.list(KIND.Quarantine)).items.find(
        ({ spec, status }) => spec.incident !== undefined && status?.phase === 'Active',
      )?.metadata.name;
    const before = await contained();
    if (before !== undefined) return before;
    const name = `metrics-${Date.now().toString(36)}`;
    await place.server.kubectl(['create', 'namespace', name]);
    await place.attack(name, name);
    return eventually('it is contained', contained);
  }

  async function someDenial(): Promise<string> {
    return eventually('a denial', async () => {
      await place.server.kubectl(['apply', '-f', 'test/fixtures/xmrig-daemonset.yaml']);
      return (await place.admin.list(KIND.Denial, { namespace: 'default' })).items[0]?.metadata.name;
    });
  }

  /** Everything of Kubesentry that is in the cluster. */
  async function remains(): Promise<string[]> {
    await place.stopWebhook();
    const kinds =
      'crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration,validatingadmissionpolicy,' +
      'validatingadmissionpolicybinding,namespace';
    const { stdout } = await place.server.kubectl(['get', kinds, '-o', 'name']);
    return stdout.split('\n').filter((name) => name.includes('kubesentry'));
  }
});
