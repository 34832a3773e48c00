import type { Word } from './arguments.ts';
import type { Docket } from './docket.ts';
import { nameIn } from './names.ts';

type Check = (words: readonly Word[], docket: Docket) => void;

/** What droppers do to a machine besides mining; none of it is proof. By name of the program. */
export const ADMINISTRATION: Record<string, Check> = {
  pkill: killsRivals,
  killall: killsRivals,
  sysctl: onMatch(/^vm\.nr_hugepages\s*=/, 'huge-page-tuning', 'It sets the number of huge pages.'),
  modprobe: (words, docket) => {
    const word = words.slice(1).find(({ text }) => text === 'msr');
    // As xmrig's randomx_boost.sh loads it; the kernel does without for whoever tunes.
    const writes = words.some(({ text }) => text === 'allow_writes=on');
    const score = writes ? MSR_WRITES : undefined;
    if (word) docket.report('msr-tuning', word.path, 'It loads the MSR driver.', word.text, score);
  },
  wrmsr: (words, docket) => {
    const path = words[0]?.path ?? '';
    const boost = words.slice(1).find(({ text }) => RANDOMX_REGISTER.test(text));
    const before = docket.scoreOf('msr-tuning', path);
    const isOpen = before === MSR_WRITES || before === REGISTER_OPEN;
    const isPreset = words.some(({ text }) => ZEN_PRESET.test(text));
    const score = isOpen ? (isPreset ? 80 : REGISTER_OPEN) : isPreset ? 65 : 50;
    if (boost) docket.report('msr-tuning', path, 'It sets the processor up for RandomX.', boost.text, score);
    else docket.report('msr-tuning', path, 'It writes model-specific registers.', words[0]?.text);
  },
  setenforce: onMatch(/^(0|permissive)$/i, 'defence-evasion', 'It switches SELinux off.'),
  ufw: onMatch(/^disable$/, 'defence-evasion', 'It switches the firewall off.'),
  iptables: onMatch(/^(-F|--flush)$/, 'defence-evasion', 'It flushes the firewall.'),
  history: onMatch(/^-c$/, 'defence-evasion', 'It clears the history of the shell.'),
  unset: onMatch(/^HISTFILE/, 'defence-evasion', 'It keeps the shell from writing a history.'),
  chattr: onMatch(/^[+-][ai]+$/, 'defence-evasion', 'It locks or unlocks files against change.'),
  systemctl: (words, docket) => {
    const verb = words[1]?.text ?? '';
    const unit = words
      .slice(2)
      .find(({ text }) =>
        /aliyun|aegis|cloudmonitor|apparmor|auditd|firewalld|falco|tetragon|crowdstrike|qcloud|YDService/i.test(
          text,
        ),
      );
    if (/^(stop|disable|mask)$/.test(verb) && unit) {
      docket.report('defence-evasion', unit.path, `It stops ${unit.text}.`, unit.text);
    }
  },
  apt: installs,
  'apt-get': installs,
  apk: installs,
  yum: installs,
  dnf: installs,
  microdnf: installs,
  zypper: installs,
  pacman: installs,
  snap: installs,
  brew: installs,
  pip: installs,
  pip3: installs,
  npm: installs,
  npx: installs,
  yarn: installs,
  go: installs,
  cargo: installs,
  conda: installs,
  'nix-env': installs,
};

/** Score of an MSR driver that is loaded for writing. */
const MSR_WRITES = 35;

/** Score of a register of RandomX that is set through it. */
const REGISTER_OPEN = 60;

/** Prefetchers, which xmrig's randomx_boost.sh turns off: MSR_MISC_FEATURE_CONTROL of Intel, DC_CFG and kin of Zen. */
const RANDOMX_REGISTER = /^0x(?:1a4|c0011020|c0011021|c0011022|c001102b)$/i;

/** What randomx_boost.sh writes there on Zen 1 to 4; who measures memory without prefetchers copies it at times. */
const ZEN_PRESET =
  /^0x(?:44[08]0000000000|1c000200000040|4000000000040|c0000004015[07]0000|8680000401570000|1?510000|2000cc1[046]|2040cc10|1808cc16)$/i;

function killsRivals(words: readonly Word[], docket: Docket): void {
  const rival = words.slice(1).find(({ text }) => nameIn(text, docket.indicators)?.kind === 'miner');
  if (rival) docket.report('rival-kill', rival.path, `It ends processes called ${rival.text}.`, rival.text);
}

const INSTALL = /^(install|add|get|run|i|-S\w*|-i\w*|exec|dlx|global)$/;

function installs(words: readonly Word[], docket: Docket): void {
  const runs = /^npx/.test(words[0]?.text ?? '');
  if (!runs && !words.slice(1, 6).some(({ text }) => INSTALL.test(text))) return;
  for (const { text, path } of words.slice(1)) {
    const miner = text.split('/').map((step) => nameIn(step.replace(/[@=<>~].*$/, ''), docket.indicators));
    const found = miner.find((match) => match?.kind === 'miner');
    if (found) docket.report('miner-download', path, `It installs ${found.name}.`, text);
  }
}

function onMatch(
  pattern: RegExp,
  rule: 'huge-page-tuning' | 'msr-tuning' | 'defence-evasion',
  message: string,
): Check {
  return (words, docket) => {
    const word = words.slice(1).find(({ text }) => pattern.test(text));
    if (word) docket.report(rule, word.path, message, word.text);
  };
}
