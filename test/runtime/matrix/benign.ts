/** What honest people do, as scripts like those of evasions.ts: nothing of it may be reported with a confidence that contains. */
export const BENIGN: readonly (readonly [name: string, script: string])[] = [
  [
    'a compile job',
    `for n in 1 2 3; do echo "int main(void){return $n;}" > a$n.c; cc -o a$n a$n.c; ./a$n; done; true`,
  ],
  ['an encoder on all cores', 'cp $PROGRAM ffmpeg; ./ffmpeg compute 3 2'],
  [
    'a database with many writes',
    `python3 -c 'import sqlite3
db = sqlite3.connect("a.db"); db.execute("create table t(a, b)")
for n in range(3000): db.execute("insert into t values(?, ?)", (n, "x" * 200))
db.commit()'`,
  ],
  ['Selenium, which listens on 4444', '$PROGRAM say plain $NAMES 4444 hello; true'],
  ['a database cluster on 4567 and 5555', '$PROGRAM say plain $NAMES 5555 hello; true'],
  [
    'an installer in a build',
    'curl -sSf $WEB/job | sh -s -- -y; curl -s -o setup $WEB/job; chmod +x setup; ./setup; rm setup',
  ],
  [
    'an installer that adds a program to the image',
    'curl -s -o $LAYER/tool $WEB/program; chmod +x $LAYER/tool; $LAYER/tool',
  ],
  [
    'TLS with an ordinary name',
    'echo | timeout 2 openssl s_client -connect $NAMES:443 -servername shop.example >/dev/null 2>&1',
  ],
  [
    'questions to DNS',
    'for name in example.com pool.ntp.org mining.example monero.example; do $PROGRAM ask sendto $NAMES $name; done',
  ],
  ['time servers, which have strata', `$PROGRAM say plain $NAMES 4444 'stratum 2 pool pool.ntp.org'`],
  [
    'rounding downwards for a while',
    'cp $PROGRAM intervals; ./intervals compute 3 1 down 1; ./intervals compute 2 1 down',
  ],
  [
    'a service that has a method login',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"jsonrpc":"2.0","id":1,"method":"login","params":{"user":"me","password":"x"}}'`,
  ],
  [
    'a service that submits forms by HTTP',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT $'POST /rpc HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n{"method":"login","params":{"login":"me","pass":"x"}}'`,
  ],
  [
    'a service that logs in with an algorithm',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"method":"login","params":{"user":"a","pass":"x","algo":"scram-sha-256"}}'`,
  ],
  [
    'a service that logs in with an agent',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"method":"login","params":{"login":"a","password":"x","agent":"app/1.0"}}'`,
  ],
  [
    'a service that mines data',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"jsonrpc":"2.0","method":"mining.start_job","params":{"dataset":"sales"}}'`,
  ],
  [
    'a page of a pool through a proxy',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT $'CONNECT moneroocean.stream:443 HTTP/1.1\\r\\n\\r\\n'`,
  ],
  [
    'settings of a miner that are counted',
    `echo '{"donate-level":1,"randomx":{},"rig-id":1}' > config.json; wc -c config.json`,
  ],
  [
    'a service with settings in a file',
    `cp $PROGRAM web; echo '{"url":"https://api.example:8443","user":"me","pass":"x"}' > config.json; ./web --config=config.json`,
  ],
  [
    'data that is fetched and worked on',
    'curl -s $WEB/job | python3 -c "import sys; sys.stdin.read()"; V=$(curl -s $WEB/job); sh -c true',
  ],
  [
    'logs that quote the pool protocol',
    String.raw`$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"level":"warn","text":"saw {\"method\":\"mining.subscribe\"}","method":"GET"}'`,
  ],
  [
    'a node of a chain that is asked about blocks',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT '{"id":1,"method":"eth_blockNumber","params":[]}'`,
  ],
  ['a page about a miner', 'curl -s $WEB/xmrig.html > page.html; wget -qO- $WEB/docs/xmrig >/dev/null; true'],
  [
    'a search for a miner',
    'echo xmrig > notes; grep -r xmrig . ; grep -c stratum+tcp notes; find . -name "xmrig*"; pgrep xmrig; true',
  ],
  [
    'an editor on its source',
    `echo 'int main;' > xmrig.c; cat xmrig.c; head -1 xmrig.c; diff xmrig.c xmrig.c; ls xmrig.c`,
  ],
  ['an exporter for a miner', 'cp $PROGRAM xmrig-exporter; ./xmrig-exporter wait'],
  ['process mining', 'cp $PROGRAM process-miner; ./process-miner wait'],
  ['a shell that counts', 'for ((i = 0; i < 100000; i++)); do :; done'],
  ['many short programs', 'for i in $(seq 50); do /bin/true; done'],
];
