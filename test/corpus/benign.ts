import { CARRIERS, SCRIPT_CARRIERS } from './carriers.ts';
import { LOOKALIKES } from './lookalikes.ts';
import { BTC, ETH, XMR } from './wallets.ts';

/** Command lines of ordinary programs, chosen for what they share with miners. */
const COMMAND_LINES: Record<string, string> = {
  'short options as in a miner': '/usr/bin/etl -o results.csv -u service -p 5432 -t 8',
  'curl with a user': 'curl -o /data/out.json -u admin:secret https://search.example.org:9200/_cat',
  'database client': 'mysql -h db -u root -p secret -P 3306',
  psql: 'psql -h db -p 5432 -U app -o /tmp/report.txt',
  'connection pool': '/app/server --pool 20 --user app --password-file /run/p --algorithm least-conn',
  'worker pool': 'celery -A app worker --pool prefork --concurrency 8 -n worker1@%h',
  training: 'python train.py --algo ppo --pool avg --user bob --coin flip --devices 0,1 --intensity 3',
  'GPU benchmark': '/opt/bench --devices 0,1 --threads 16 --scrypt',
  'hash service': '/app/hashd --algorithm scrypt --url redis:6379 --user hash',
  'load generator': 'wrk -t 12 -c 400 -d 30s http://web:8080',
  stress: 'stress-ng --cpu 8 --timeout 60s --metrics-brief',
  selenium: 'java -jar selenium-server.jar hub --port 4444',
  galera:
    'mysqld --wsrep_cluster_address=gcomm://db-0:4567,db-1:4567 --wsrep_sst_receive_address=10.0.0.1:4444',
  'elasticsearch dump': 'elasticdump --input=http://es:9200 --output=s3://bucket/dump',
  monerod:
    'monerod --non-interactive --add-peer node.supportxmr.com:18080 --add-priority-node p2pmd.xmrvsbeast.com:18080 --rpc-bind-port 18081',
  'wallet service': `monero-wallet-rpc --daemon-address monerod:18081 --wallet-file /w/shop --rpc-bind-port 18083`,
  bitcoind: 'bitcoind -server=1 -rpcuser=rpc -rpcpassword=x -addnode=10.0.0.3:8333 -txindex',
  geth: 'geth --http --authrpc.addr 0.0.0.0 --bootnodes enode://abc@1.2.3.4:30303 --syncmode snap',
  validator: `lighthouse vc --beacon-nodes http://bn:5052 --suggested-fee-recipient ${ETH}`,
  'consensus client': `teku --ee-endpoint=http://geth:8551 --validators-proposer-default-fee-recipient=${ETH}`,
  kaspad: 'kaspad --utxoindex --addpeer=10.1.2.3:16111 --rpclisten=0.0.0.0:16110',
  lightning: 'lnd --bitcoin.active --bitcoin.node=bitcoind --bitcoind.rpchost=bitcoind:8332',
  pgbouncer: 'pgbouncer -u pg /etc/pgbouncer.ini --pool-mode transaction',
  haproxy: 'haproxy -W -db -f /etc/haproxy.cfg',
  chrony: 'chronyd -d -s local stratum 10',
  minio: 'minio server /data --console-address :9001',
  'process mining': 'python -m pm4py.process_miner --algo heuristics --input log.xes',
  'node exporter': 'node_exporter --path.rootfs=/host --web.listen-address=:9100',
  'xmrig exporter': 'xmrig-exporter --url http://10.0.0.8:8080 --listen :9189',
  'pool exporter': `nanopool-exporter --api https://api.nanopool.org/v1/xmr --account ${XMR}`,
  kafka: 'kafka-server-start.sh /etc/kafka.properties --override listeners=PLAINTEXT://0.0.0.0:9092',
  nats: 'nats-server --routes nats://a:6222,nats://b:6222 --user x --pass y',
  mqtt: 'mosquitto_sub -h broker -p 8883 -u device -P secret -t sensors',
  rclone: 'rclone sync s3:bucket /data --transfers 8 -P',
  'ssh tunnel': 'ssh -N -L 5432:db:5432 -o StrictHostKeyChecking=no -p 2222 -l tunnel bastion',
  ldap: 'ldapsearch -H ldap://ldap:389 -D cn=admin -w secret -b dc=x',
  ansible: 'ansible-playbook -i hosts -u deploy -K site.yml --forks 20',
  redis: 'redis-cli -h redis -p 6379 -a secret -n 0 ping',
  ffmpeg: 'ffmpeg -i in.mp4 -c:v libx264 -threads 8 -preset slow out.mp4',
  slurm: 'slurmd -D -N worker-0 --conf-server ctl:6817',
  mpi: 'mpirun -np 16 --allow-run-as-root -x NCCL_DEBUG=INFO python train.py -a resnet50 -b 256',
  vllm: 'vllm serve meta/llama --tensor-parallel-size 4 --port 8000 --max-num-seqs 64',
  consul: 'consul agent -node web -pool default -join 10.0.0.4',
  'oracle wallet': 'sqlplus -L app/secret@db:1521/svc --wallet /opt/oracle/wallet',
  'bitcoin payments': `btcpay --network mainnet --xpub xpub6CUGRU --donation ${BTC}`,
  'gitlab runner': 'gitlab-runner run --user=gitlab-runner --working-directory=/home/gitlab-runner',
  trivy: 'trivy image --severity HIGH --exit-code 1 app:1',
  falco: 'falco -r /etc/falco/rules.yaml -o json_output=true -p kubernetes',
  tetragon: 'tetragon --export-filename /var/run/t.log --enable-process-cred',
  dpdk: '/app/testpmd -l 0-3 -n 4 --socket-mem 1024 -- -i --rxq=4',
};

const SCRIPTS: Record<string, string> = {
  installer: 'curl -fsSL https://get.helm.sh/helm.sh | bash',
  'installer, rustup': "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y",
  'installer by substitution':
    'sh -c "$(curl -fsSL https://raw.githubusercontent.com/ohmyzsh/ohmyzsh/master/tools/install.sh)"',
  'installer, node': 'curl -sL https://deb.nodesource.com/setup_22.x | bash - && apt-get install -y nodejs',
  'binary from a release':
    'wget -q https://dl.k8s.io/v1.36.0/bin/linux/amd64/kubectl -O /tmp/kubectl && chmod +x /tmp/kubectl && /tmp/kubectl get nodes',
  'archive from a release':
    'curl -sSL https://github.com/org/tool/releases/download/v1/tool.tar.gz | tar xz -C /tmp && /tmp/tool --version',
  'bootstrap inside the cluster': 'curl -s http://10.96.0.12/bootstrap.sh | sh',
  'bootstrap by service name': 'wget -qO- http://config.infra.svc.cluster.local/init.sh | sh >/dev/null 2>&1',
  kubeconfig: 'echo "$KUBECONFIG_DATA" | base64 -d > /root/.kube/config && kubectl apply -f /manifests',
  'decoded setting': 'echo aGVsbG8gd29ybGQK | base64 -d > /etc/app/token',
  'wait for the database': 'until pg_isready -h db -p 5432; do echo waiting; sleep 2; done; exec /app/server',
  'wait by dev tcp': 'until (echo > /dev/tcp/db/3306) 2>/dev/null; do sleep 1; done; exec ./app',
  'wait by nc': 'while ! nc -z kafka 9092; do sleep 1; done',
  health:
    'exec 3<>/dev/tcp/localhost/8080; echo -e "GET /health HTTP/1.1\\r\\n\\r\\n" >&3; cat <&3 | grep UP',
  'rivals killed by a clean-up job':
    'for p in xmrig kinsing kdevtmpfsi minerd; do pkill -9 -f $p || true; done; rm -rf /tmp/kinsing /tmp/kdevtmpfsi',
  'search for miners': 'ps aux | grep -E "xmrig|minerd|stratum\\+tcp" | grep -v grep && exit 1; exit 0',
  'search in manifests': 'grep -rnE "stratum\\+tcp://|--donate-level" /manifests && exit 1 || true',
  message: 'echo "Running xmrig -o stratum+tcp://pool:3333 is forbidden here"; sleep infinity',
  firewall: 'for d in pool.supportxmr.com xmr.nanopool.org; do iptables -A OUTPUT -d $d -j DROP; done',
  'name server': 'dig +short pool.supportxmr.com; nslookup xmr.2miners.com',
  'block list':
    'printf "address=/%s/0.0.0.0\\n" supportxmr.com nanopool.org minexmr.com > /etc/dnsmasq.d/miners.conf && dnsmasq -k',
  'huge pages': 'sysctl -w vm.nr_hugepages=1024 && exec postgres -c huge_pages=on',
  'node tuning': 'echo 2048 > /proc/sys/vm/nr_hugepages; sysctl -w net.core.somaxconn=65535; sleep infinity',
  'cron inside': 'echo "0 3 * * * /usr/local/bin/backup.sh" | crontab - && crond -f',
  'background worker': 'nohup /app/metrics >/dev/null 2>&1 & exec /app/server',
  'temporary script':
    'cat > /tmp/run.sh <<EOF\n#!/bin/sh\necho hello\nEOF\nchmod +x /tmp/run.sh\n/tmp/run.sh',
  pip: 'pip install --no-cache-dir -r requirements.txt && python -m pytest -q',
  npm: 'npm ci && npm run build && npm test -- --workers=4',
  apt: 'apt-get update && apt-get install -y --no-install-recommends curl ca-certificates jq',
  git: 'git clone --depth 1 https://github.com/kubernetes/examples.git /src && cd /src && make test',
  python: `python3 -c "import urllib.request; print(urllib.request.urlopen('http://localhost:8080/health').status)"`,
  'python, detector': `python3 -c "import psutil
BAD = ['xmrig', 'minerd', 'kinsing']
for p in psutil.process_iter():
    if p.name() in BAD: p.kill()"`,
  node: `node -e "require('http').get('http://localhost:3000/health', r => process.exit(r.statusCode === 200 ? 0 : 1))"`,
  aws: 'aws s3 cp s3://bucket/run.sh /opt/run.sh && bash /opt/run.sh',
  'gpu test': 'nvidia-smi && python -c "import torch; print(torch.cuda.is_available())" && ./train --gpus 8',
  jupyter: 'exec jupyterhub-singleuser --ip=0.0.0.0 --port=8888 --NotebookApp.token=$TOKEN',
  'gitlab probe':
    'sh -c "if [ -x /usr/local/bin/bash ]; then exec /usr/local/bin/bash; elif [ -x /bin/sh ]; then exec /bin/sh; fi"',
  'shell for people': 'clear; (bash || ash || sh)',
  cilium: 'cilium status --brief && cilium endpoint list',
  iperf: 'iperf3 -c 10.0.0.9 -p 5201 -t 30 -P 8',
  'pool statistics': `curl -s https://api.nanopool.org/v1/xmr/user/${XMR} | jq .data.hashrate`,
  prices: 'curl -s "https://api.coingecko.com/api/v3/simple/price?ids=monero&vs_currencies=usd" | jq .',
  'wallet backup': 'tar czf /backup/wallets.tgz /data/wallets && rclone copy /backup s3:wallets',
  certificates: 'openssl req -x509 -newkey rsa:4096 -nodes -keyout k.pem -out c.pem -days 365 -subj /CN=x',
  logs: 'tail -F /var/log/app.log | sed "s/password=[^ ]*/password=***/"',
  parallel: 'find . -name "*.gz" -print0 | xargs -0 -n1 -P8 gunzip',
  'sed on a config': `sed -i 's/"donate-level": 1/"donate-level": 0/' /docs/example.json`,
  'delete a miner':
    'kubectl delete daemonset xmrig -n default --ignore-not-found; kubectl get pods -A | grep xmrig || echo clean',
  uninstall: 'systemctl stop xmrig; apt-get remove -y xmrig; rm -f /usr/bin/xmrig',
  'loop with arithmetic':
    'i=0; while [ $i -lt 10 ]; do i=$((i+1)); curl -sf http://web:8080/ready && break; sleep 1; done',
  'function library':
    'log() { echo "$(date) $*"; }; retry() { "$@" || { sleep 5; "$@"; }; }; retry curl -sf http://api:8080/health; log done',
};

const IMAGES = [
  'minio/minio:latest',
  'ghcr.io/org/process-miner:2.1',
  'registry.example.com/data-miner/api:1',
  'org/text-miner',
  'org/minerva:3',
  'org/determiner',
  'org/examiner-web',
  'ghcr.io/leonz789/xmrig-exporter:1.0',
  'org/xmrig_exporter',
  'org/cryptominer-detector',
  'org/anti-miner-guard',
  'itzg/minecraft-server',
  'selenium/hub:4',
  'ghcr.io/sethforprivacy/simple-monerod:latest',
  'ethereum/client-go:v1.14',
  'btcpayserver/bitcoin:27',
  'sigp/lighthouse:v6',
  'org/kaspad',
  'falcosecurity/falco:0.44',
  'quay.io/cilium/cilium:v1.18',
  'registry.k8s.io/pause:3.10',
  'nvcr.io/nvidia/pytorch:26.01-py3',
  'cisco/trex-traffic-generator',
  'org/t-rex-booking',
  'org/phoenix-framework-app',
  'org/nice-hasher',
  'busybox',
  'localhost:5000/app',
  'gcr.io/distroless/static@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
];

const ENVIRONMENTS: Record<string, Record<string, string>> = {
  'connection pool': { DB_POOL_URL: 'db:5432', DB_USER: 'app', POOL_SIZE: '20' },
  'redis pool': { REDIS_POOL: 'redis-master:6379', WORKER: '1', ALGORITHM: 'scrypt' },
  'password hashing': { HASH_ALGORITHM: 'argon2id', ALGO: 'scrypt', COST: '12' },
  donations: { DONATION_XMR: XMR, DONATION_BTC: BTC, DONATION_ETH: ETH },
  payments: {
    WALLET_ADDRESS: XMR,
    MONERO_DAEMON_URL: 'http://monerod:18081',
    SHOP_URL: 'https://shop.example.org',
  },
  'fee recipient': { FEE_RECIPIENT: ETH, BEACON_NODE: 'http://bn:5052' },
  'block list': { BLOCKED_DOMAINS: 'supportxmr.com,nanopool.org,minexmr.com', UPSTREAM: '1.1.1.1:53' },
  exporter: { XMRIG_API_URL: 'http://10.0.0.7:8080', LISTEN: ':9189' },
  'pool statistics': { API: 'https://api.nanopool.org/v1/xmr', COIN: 'xmr' },
  'java options': { JAVA_OPTS: '-Xmx2g -XX:+UseG1GC -Dpool.size=20 -Duser.timezone=UTC' },
  'worker options': {
    CELERY_OPTS: '-A app worker -P gevent -c 100 --pool=gevent',
    BROKER: 'amqp://user:pass@mq:5672',
  },
  'stratum of time': { NTP_STRATUM: '3', NTP_POOL: 'pool.ntp.org' },
  'time pool': { POOL: 'pool.ntp.org:123', USER: 'ntp' },
  proxies: { HTTP_PROXY: 'http://proxy:3128', NO_PROXY: '10.0.0.0/8,.svc' },
};

const FILES: Record<string, Record<string, string>> = {
  'falco rules': {
    'falco_rules.yaml': `- list: miner_domains\n  items: [pool.supportxmr.com, xmr.nanopool.org, stratum.antpool.com]\n- rule: Detect crypto miners using the Stratum protocol\n  condition: spawned_process and proc.cmdline contains "stratum+tcp"\n  output: Possible miner (command=%proc.cmdline)\n- list: miners\n  items: [xmrig, minerd, ccminer, ethminer]\n`,
  },
  'prometheus rules': {
    'rules.yml': `groups:\n- name: xmrig\n  rules:\n  - alert: MinerFound\n    expr: sum(rate(container_cpu_usage_seconds_total{container=~".*xmrig.*"}[5m])) > 0.9\n    annotations:\n      summary: xmrig runs with --donate-level\n`,
  },
  'name server': {
    Corefile: `.:53 {\n  template ANY ANY supportxmr.com nanopool.org minexmr.com {\n    rcode NXDOMAIN\n  }\n  forward . 1.1.1.1\n}\n`,
  },
  hosts: { 'block.hosts': '0.0.0.0 pool.supportxmr.com\n0.0.0.0 xmr.nanopool.org\n0.0.0.0 coinhive.com\n' },
  'how to mine': {
    'index.html': `<html><body><h1>Monero pool</h1><pre>xmrig -o stratum+tcp://pool.example.org:3333 -u ${XMR} -p x</pre></body></html>`,
  },
  documentation: {
    'README.md': `# Mining coins\n\nRun \`xmrig -o stratum+tcp://pool.supportxmr.com:3333 -u ${XMR}\`.\n\nDonate: ${XMR}\n`,
  },
  'donation page': {
    'donate.json': JSON.stringify({ monero: XMR, bitcoin: BTC, ethereum: ETH, title: 'Donate' }),
  },
  'payment settings': {
    'app.yaml': `server: smtp.example.org:587\ndaemon_address: monerod:18081\nwallet_address: ${XMR}\ncurrency: monero\n`,
  },
  yara: {
    'miner.yar':
      'rule xmrig { strings: $a = "--donate-level" $b = "stratum+tcp://" $c = "randomx" condition: 2 of them }',
  },
  'database pool': {
    'application.properties':
      'spring.datasource.url=jdbc:postgresql://db:5432/app\nspring.datasource.username=app\nspring.datasource.hikari.maximum-pool-size=20\n',
  },
  'pool settings in yaml': {
    'config.yaml': 'pool:\n  host: db.example.org:5432\n  user: app\n  size: 20\nalgorithm: round-robin\n',
  },
  nginx: {
    'nginx.conf':
      'upstream app { server app-0:8080; server app-1:8080; }\nserver { listen 80; location / { proxy_pass http://app; } }\n',
  },
  'password settings': {
    'auth.json': '{"algorithm":"scrypt","url":"ldap://ldap:389","user":"cn=admin","pass":"x"}',
  },
  'backup script': {
    'backup.sh':
      '#!/bin/bash\nset -euo pipefail\npg_dump -h db -U app app | gzip > /backup/app.sql.gz\nrclone copy /backup s3:bucket\n',
  },
  entrypoint: {
    'entrypoint.sh':
      '#!/bin/sh\nset -e\nif [ "$1" = server ]; then shift; exec /app/server "$@"; fi\nexec "$@"\n',
  },
  supervisord: {
    'supervisord.conf': '[program:web]\ncommand=/usr/bin/gunicorn app:app -w 4 -b 0.0.0.0:8000 -u www\n',
  },
  'python app': {
    'main.py':
      'import subprocess\nsubprocess.run(["git", "pull"], check=True)\nPOOL = "pool.supportxmr.com"\nBLOCK = ["xmrig", "minerd"]\n',
  },
  grafana: {
    'mining.json': JSON.stringify({
      title: 'XMRig',
      panels: [{ title: 'hashrate', expr: 'xmrig_hashrate{algo="rx/0"}' }],
      uid: 'x',
    }),
  },
  'node of a chain': { 'bitcoin.conf': 'server=1\nrpcuser=rpc\nrpcpassword=x\naddnode=10.0.0.3:8333\n' },
};

export function benignCases(): { name: string; object: object }[] {
  const cases: { name: string; object: object }[] = [];
  for (const [name, line] of Object.entries(COMMAND_LINES)) {
    for (const [carrier, carry] of Object.entries(CARRIERS)) {
      cases.push({ name: `${name}; ${carrier}`, object: carry(line.split(' ')) });
    }
    cases.push({
      name: `${name}; shell`,
      object: CARRIERS['privileged daemonset']?.(['sh', '-c', line]) as object,
    });
  }
  for (const [name, script] of Object.entries(SCRIPTS)) {
    for (const [carrier, carry] of Object.entries(SCRIPT_CARRIERS)) {
      cases.push({ name: `${name}; ${carrier}`, object: carry(script) });
    }
  }
  for (const image of IMAGES) {
    for (const carrier of ['pod', 'privileged daemonset', 'cronjob']) {
      cases.push({ name: `image ${image}; ${carrier}`, object: CARRIERS[carrier]?.([], image) as object });
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
  for (const [name, object] of Object.entries(LOOKALIKES)) cases.push({ name, object });
  return cases;
}
