import type { Severity } from '../api/finding.ts';

/**
 * One thing that can be found. `score` is the weight of one match: 100 is conclusive alone, less needs
 * company (see verdict.ts). A place that knows better may report with another score.
 */
export interface Rule {
  severity: Severity;
  score: number;
  /** What it is, as a heading. */
  title: string;
  /** Why it counts. */
  why: string;
  /** What to do about it. */
  remedy: string;
  /** Posture is true of many good workloads: it only adds to the score of something already suspicious. */
  posture?: true;
}

const NOT_A_MINER =
  'If this is legitimate, add an exemption with a reason and an expiry date to a SentryPolicy in kubesentry-system.';
const REMOVE = `Remove the miner. ${NOT_A_MINER}`;
const CHECK_SCRIPT = 'Pin what you download: fetch it at build time into an image, with a checksum.';
const TIGHTEN = 'Ask only for what the workload needs; see the Pod Security Standards.';

/** Every rule of every gate. Ids are stable: policies, exemptions and dashboards name them. */
export const RULES = {
  'stratum-url': {
    severity: 'critical',
    score: 100,
    title: 'Address of a mining pool by scheme',
    why: 'stratum+tcp and its kin are spoken by miners and pools only.',
    remedy: REMOVE,
  },
  'pool-host': {
    severity: 'critical',
    score: 100,
    title: 'Known mining pool as a destination',
    why: 'A program is told to connect to the domain of a mining pool.',
    remedy: REMOVE,
  },
  'pool-lookup': {
    severity: 'medium',
    score: 40,
    title: 'Asked DNS for a mining pool',
    why: 'A program asked for the address of a mining pool. People who read the web page of a pool do that too.',
    remedy: 'Look at what the process connects to next; remove it if it mines.',
  },
  'pool-address': {
    severity: 'critical',
    score: 100,
    title: 'Known mining pool by address',
    why: 'The address is on the list of mining pools.',
    remedy: REMOVE,
  },
  'pool-mention': {
    severity: 'low',
    score: 10,
    title: 'Mining pool mentioned',
    why: 'Web pages, dashboards and block lists name pools too; it counts only with company.',
    remedy: NOT_A_MINER,
  },
  'mining-port': {
    severity: 'low',
    score: 5,
    title: 'Port that pools often use',
    why: 'Pools listen there, but so do Selenium (4444), Galera (4567) and many others; it never counts alone.',
    remedy: NOT_A_MINER,
  },
  'miner-name': {
    severity: 'critical',
    score: 100,
    title: 'Name of a miner',
    why: 'The program that is started has the name of a known miner or of malware that carries one.',
    remedy: REMOVE,
  },
  'miner-image': {
    severity: 'critical',
    score: 90,
    title: 'Image of a miner',
    why: 'A segment of the image reference names a known miner.',
    remedy: REMOVE,
  },
  'miner-word': {
    severity: 'medium',
    score: 35,
    title: 'The word miner in a name',
    why: 'Miners are called so, but process mining and data mining too; it counts only with company.',
    remedy: NOT_A_MINER,
  },
  'miner-hash': {
    severity: 'critical',
    score: 100,
    title: 'Binary of a known miner',
    why: 'The SHA-256 of the binary is on the list.',
    remedy: REMOVE,
  },
  'miner-arguments': {
    severity: 'critical',
    score: 100,
    title: 'Arguments of a miner',
    why: 'Options and their values together fit the command line of a miner, whatever the program is called.',
    remedy: REMOVE,
  },
  'miner-environment': {
    severity: 'critical',
    score: 100,
    title: 'Settings of a miner in the environment',
    why: 'Images that wrap miners take the pool, the wallet and the algorithm from variables.',
    remedy: REMOVE,
  },
  'miner-config': {
    severity: 'critical',
    score: 100,
    title: 'Configuration file of a miner',
    why: 'Its structure is that of a miner: pools with users, and mining options.',
    remedy: REMOVE,
  },
  'miner-download': {
    severity: 'critical',
    score: 90,
    title: 'Download or build of a miner',
    why: 'The address, package or repository is that of a miner.',
    remedy: REMOVE,
  },
  'miner-mention': {
    severity: 'low',
    score: 10,
    title: 'Miner mentioned',
    why: 'Exporters, scanners, block lists and pages name miners too; it counts only with company.',
    remedy: NOT_A_MINER,
  },
  'stratum-server': {
    severity: 'medium',
    score: 50,
    title: 'Server for miners',
    why: 'Something listens for miners, as pools and mining proxies do.',
    remedy: NOT_A_MINER,
  },
  'stratum-message': {
    severity: 'high',
    score: 80,
    title: 'Pool protocol spoken by hand',
    why: 'The text is a request of the stratum protocol.',
    remedy: REMOVE,
  },
  'wallet-argument': {
    severity: 'high',
    score: 40,
    title: 'Wallet as an argument',
    why: 'A valid address of a minable coin is handed to a program; payment services do that too.',
    remedy: NOT_A_MINER,
  },
  'wallet-mention': {
    severity: 'low',
    score: 10,
    title: 'Wallet mentioned',
    why: 'A valid coin address stands in settings or text, as on donation pages.',
    remedy: NOT_A_MINER,
  },
  'blockchain-node': {
    severity: 'low',
    score: 40,
    title: 'Node of a blockchain',
    why: 'It keeps a ledger and does not mine, but some clusters want none.',
    remedy: NOT_A_MINER,
  },
  'remote-script': {
    severity: 'medium',
    score: 40,
    title: 'Downloaded code is run',
    why: 'What runs is decided by a server elsewhere, at run time. Installers do it, and so do most miner droppers.',
    remedy: CHECK_SCRIPT,
  },
  'download-from-address': {
    severity: 'high',
    score: 40,
    title: 'Download from a public IP address',
    why: 'Droppers live on rented machines without a name.',
    remedy: CHECK_SCRIPT,
  },
  'download-from-paste': {
    severity: 'high',
    score: 50,
    title: 'Download from a paste or file drop',
    why: 'Anybody can put anything there without a name; droppers use it.',
    remedy: CHECK_SCRIPT,
  },
  'hidden-path': {
    severity: 'medium',
    score: 25,
    title: 'Program hidden in a scratch folder',
    why: 'Nothing that is packaged runs from a dot file below /tmp, /var/tmp or /dev/shm.',
    remedy: CHECK_SCRIPT,
  },
  'temporary-path': {
    severity: 'low',
    score: 10,
    title: 'Program in a scratch folder',
    why: 'Programs come with the image; what runs from /tmp or /dev/shm was put there later.',
    remedy: CHECK_SCRIPT,
  },
  'silent-background': {
    severity: 'low',
    score: 20,
    title: 'Background process without output',
    why: 'It hides from logs and outlives the script that started it.',
    remedy: 'Run it as the main process of a container of its own.',
  },
  'disguised-process': {
    severity: 'high',
    score: 45,
    title: 'Process disguised as another',
    why: 'It takes the name of a kernel thread or of a part of the system.',
    remedy: REMOVE,
  },
  'encoded-script': {
    severity: 'medium',
    score: 30,
    title: 'Encoded text is run as a script',
    why: 'Encoding hides what runs from people and scanners.',
    remedy: 'Put the script into an image or a ConfigMap as plain text.',
  },
  persistence: {
    severity: 'medium',
    score: 20,
    title: 'Persistence beside Kubernetes',
    why: 'It writes cron entries, init scripts, SSH keys or preloads, so that something outlives the pod.',
    remedy: 'Use a CronJob or a DaemonSet.',
  },
  'lateral-movement': {
    severity: 'high',
    score: 60,
    title: 'Command for other machines',
    why: 'It runs something on machines that are not its own, past the API server, as worms spread.',
    remedy: NOT_A_MINER,
  },
  'rival-kill': {
    severity: 'medium',
    score: 20,
    title: 'Other miners are ended',
    why: 'Droppers end rival miners first. So do clean-up jobs; it counts only with company.',
    remedy: NOT_A_MINER,
  },
  'defence-evasion': {
    severity: 'medium',
    score: 25,
    title: 'Security tools are switched off',
    why: 'Droppers stop cloud agents, SELinux and histories before they mine.',
    remedy: NOT_A_MINER,
  },
  'huge-page-tuning': {
    severity: 'low',
    score: 15,
    title: 'Huge pages are switched on',
    why: 'RandomX wants them; so do databases and DPDK.',
    remedy: 'Ask for hugepages in resources.limits instead of changing the node.',
  },
  'msr-tuning': {
    severity: 'medium',
    score: 30,
    title: 'Model-specific registers are changed',
    why: 'RandomX miners switch the prefetcher off through MSRs.',
    remedy: 'Tune nodes by the machine image, not by a pod.',
  },
  'analysis-limit': {
    severity: 'low',
    score: 30,
    title: 'Too much to look at',
    why: 'Part of it was left unread because it exceeds the bounds of the analysis.',
    remedy: 'Keep scripts short and put long ones into an image.',
  },
  'malformed-workload': {
    severity: 'low',
    score: 25,
    title: 'Malformed workload',
    why: 'A field has a shape that the API server refuses; it may be meant to slip past a scanner.',
    remedy: 'Correct the field; kubectl explain names its type.',
  },
  'pool-protocol': {
    severity: 'critical',
    score: 100,
    title: 'Pool protocol on the wire',
    why: 'The kernel saw a request of the stratum protocol leave the container; only miners send those.',
    remedy: REMOVE,
  },
  'memory-executable': {
    severity: 'high',
    score: 45,
    title: 'Program that exists in memory only',
    why: 'It runs from a memfd, so that no file can be found. A few runtimes do that, and so do loaders of malware.',
    remedy: CHECK_SCRIPT,
  },
  'deleted-executable': {
    severity: 'high',
    score: 40,
    title: 'Program that was deleted before it started',
    why: 'Its file was unlinked, so that no file can be found.',
    remedy: CHECK_SCRIPT,
  },
  'added-executable': {
    severity: 'low',
    score: 20,
    title: 'Program that is not in the image',
    why: 'It was written after the container started. Package managers and builds do that too.',
    remedy: 'Make the root file system read-only and put programs into the image.',
  },
  'randomx-rounding': {
    severity: 'high',
    score: 60,
    title: 'Floating-point rounding of RandomX',
    why: 'RandomX, which Monero is mined by, switches the rounding mode all the time; hardly anything else does.',
    remedy: REMOVE,
  },
  'cpu-anomaly': {
    severity: 'medium',
    score: 30,
    title: 'All the CPU that it may use, against its habit',
    why: 'For minutes or hours it was content with little, and now takes everything for more than 30 s. A suspicion that is reported, and never enough to contain: a job may have begun.',
    remedy: NOT_A_MINER,
  },
  'cpu-saturation': {
    severity: 'low',
    score: 20,
    title: 'All the CPU that it may use',
    why: 'It takes what it can get, and nobody knows its habit. It only makes other findings weigh more: batch jobs do that too.',
    remedy: NOT_A_MINER,
  },
  'posture-everywhere': {
    severity: 'low',
    score: 4,
    title: 'Runs on every node',
    why: 'Miners want all nodes; agents do too.',
    remedy: TIGHTEN,
    posture: true,
  },
  'posture-privileged': {
    severity: 'low',
    score: 4,
    title: 'Privileged container',
    why: 'It may change the node.',
    remedy: TIGHTEN,
    posture: true,
  },
  'posture-host-namespaces': {
    severity: 'low',
    score: 3,
    title: 'Shares namespaces of the node',
    why: 'It sees processes or network of the node.',
    remedy: TIGHTEN,
    posture: true,
  },
  'posture-host-root': {
    severity: 'low',
    score: 4,
    title: 'Mounts the file system of the node',
    why: 'It may change the node.',
    remedy: TIGHTEN,
    posture: true,
  },
  'posture-unlimited': {
    severity: 'low',
    score: 2,
    title: 'No CPU limit',
    why: 'It may take every CPU that is free, as miners do.',
    remedy: 'Set resources.limits.cpu.',
    posture: true,
  },
  'posture-low-priority': {
    severity: 'low',
    score: 2,
    title: 'Runs at low priority',
    why: 'It takes what others leave, so that nobody notices.',
    remedy: TIGHTEN,
    posture: true,
  },
  'posture-huge-pages': {
    severity: 'low',
    score: 3,
    title: 'Asks for huge pages',
    why: 'RandomX is faster with them.',
    remedy: TIGHTEN,
    posture: true,
  },
  'posture-msr-device': {
    severity: 'low',
    score: 5,
    title: 'Mounts the MSR devices of the node',
    why: 'RandomX miners switch the prefetcher off through them.',
    remedy: TIGHTEN,
    posture: true,
  },
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof RULES;

export function isPosture(rule: string): boolean {
  return Object.hasOwn(RULES, rule) && (RULES[rule as RuleId] as Rule).posture === true;
}
