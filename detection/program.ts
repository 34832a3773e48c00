import { ADMINISTRATION } from './administration.ts';
import type { Word } from './arguments.ts';
import { judgeImage } from './image.ts';
import { judgeArguments } from './miner-arguments.ts';
import { minerWordScore, type NameMatch, nameByPattern, nameIn, unversioned } from './names.ts';
import type { Machine } from './shell/machine.ts';
import { fold, UNKNOWN } from './text.ts';

/** Programs whose arguments are text, patterns or addresses, and never those of a miner. */
const INERT = new Set(
  (
    'eval source . echo printf print grep egrep fgrep zgrep rg ag sed awk gawk mawk cut sort uniq wc cat tac head tail less more test [ [[ ' +
    'true false ls dir cd pushd popd mkdir rm rmdir touch cp mv ln chmod chown chgrp export set unset read alias ' +
    'pgrep pkill kill killall ps top htop which type whereis man info dig nslookup host drill ping ping6 getent ' +
    'traceroute mtr whois iptables ip6tables ipset nft ufw firewall-cmd sleep wait exit return shift local declare ' +
    'readonly trap jq yq diff cmp md5sum sha1sum sha256sum sha512sum file strings stat find tar unzip zip gzip gunzip ' +
    'base64 base32 xxd openssl psql pg_isready pg_dump mysql mysqladmin mysqldump redis-cli mongo mongosh sqlite3 curl ' +
    'wget ssh scp rsync sftp git helm kubectl oc aws gcloud az apt apt-get apk yum dnf pip pip3 npm yarn pnpm make ' +
    'logger mail sendmail date hostname uname id whoami env tee tr rev sh bash dash ash zsh ksh docker podman nerdctl ' +
    'crictl ctr python python2 python3 perl ruby node nodejs php lua crontab su runuser sysctl modprobe'
  ).split(' '),
);

/** Where packages install programs. An inert name elsewhere is a disguise like any other. */
const SYSTEM_FOLDER = /^(\/usr(\/local)?)?\/s?bin\/$/;

/** Where anybody may write. */
export const SCRATCH = /^\/(tmp|var\/tmp|dev\/shm|run\/(user|lock)|dev\/mqueue)\//;

/** Whether the arguments of a program are of no interest, by its name and folder. */
export function isInert(program: string): boolean {
  const slash = program.lastIndexOf('/') + 1;
  return (
    INERT.has(unversioned(program.slice(slash))) &&
    (slash === 0 || SYSTEM_FOLDER.test(program.slice(0, slash)))
  );
}

/** Judges one command by its name, where it lies, and its arguments. `words[0]` is the program. */
export function judgeProgram(words: readonly Word[], machine: Machine): void {
  const { docket } = machine;
  const first = words[0] as Word;
  const program = first.text.includes(UNKNOWN) ? first.text.replaceAll(UNKNOWN, '') : first.text;
  const path = machine.scope.resolve(program);
  const base = fold(program.slice(program.lastIndexOf('/') + 1));
  const inert = isInert(first.text);
  const administration = Object.hasOwn(ADMINISTRATION, base) ? ADMINISTRATION[base] : undefined;
  administration?.(words, docket);
  if (inert) return;
  const isNode = judgePath(first, path, machine) === 'node';
  const { background, silent } = machine.manner;
  if (background && silent) {
    docket.report(
      'silent-background',
      first.path,
      'It runs in the background and discards its output.',
      base,
    );
  }
  const caller = { isNode, isHidden: docket.scoreOf('hidden-path', first.path) > 0 };
  judgeArguments(words.slice(1), docket, caller);
  for (const { text, path } of words.slice(1, 64)) {
    const image = imageIn(text);
    if (image !== undefined) judgeImage(image, path, docket);
    // A whole command line in one word, for an entrypoint that splits it.
    if (text.includes(' -'))
      judgeArguments(
        text.split(/\s+/, 256).map((part) => ({ text: part, path })),
        docket,
        caller,
      );
  }
}

/** The image of `spark-submit --conf spark.kubernetes.container.image=IMAGE`. */
function imageIn(text: string): string | undefined {
  const at = text.lastIndexOf('image=');
  if (at < 1 || (text[at - 1] !== '.' && text[at - 1] !== '-')) return undefined;
  const image = text.slice(at + 'image='.length);
  return image === '' || /\s/.test(image) ? undefined : image;
}

/** Answers what the name of the program says. */
function judgePath(
  { text, path: at }: Word,
  path: string,
  { docket, manner }: Machine,
): NameMatch['kind'] | undefined {
  const steps = path.split('/').filter(Boolean);
  const base = steps.at(-1) ?? '';
  const scratch = SCRATCH.test(path) || path.startsWith('memfd:');
  let named: NameMatch['kind'] | undefined;
  for (let index = Math.max(0, steps.length - 8); index < steps.length; index++) {
    const step = steps[index] as string;
    const last = index === steps.length - 1;
    const match = nameIn(step, docket.indicators);
    if (last) named = match?.kind;
    if (match?.kind === 'miner') {
      const about = last ? undefined : nameIn(base, docket.indicators);
      if (about?.kind !== 'mention')
        docket.report('miner-name', at, `It starts ${step}.`, step, last ? 100 : 85);
    } else if (match?.kind === 'mention') docket.report('miner-mention', at, `It starts ${step}.`, step);
    else if (match?.kind === 'node' && last) docket.report('blockchain-node', at, `It starts ${step}.`, step);
    else if (match?.kind === 'word' && last) docket.report('miner-word', at, `It starts ${step}.`, step);
    else if (match?.kind === 'system' && last && scratch) {
      docket.report(
        'disguised-process',
        at,
        `${base} is part of the system, but runs from a scratch folder.`,
        text,
      );
    } else if (last) {
      const score = minerWordScore(step);
      if (score > 0) docket.report('miner-word', at, `It starts ${step}.`, step, score);
    }
  }
  const found = nameByPattern(base, docket.indicators);
  if (found) docket.report('miner-name', at, `It starts ${found} by the pattern ${base}.`, base, 80);
  if (/^\/proc\/(self|\d+)\/fd\//.test(path))
    docket.report('hidden-path', at, 'It runs a file that has no name.', text);
  // Nix calls what its wrappers start .NAME-wrapped.
  if (/^\.\w/.test(base) && !scratch && !base.endsWith('-wrapped'))
    docket.report('hidden-path', at, 'It runs a file that hides by name.', text, 35);
  if (!scratch) return named;
  // Where npm links the programs of a project; a build in a scratch folder runs them by the dozen.
  const isNpm = steps.some((step, at) => step === '.bin' && steps[at - 1] === 'node_modules');
  const hidden =
    (!isNpm && steps.slice(1).some((step) => /^\.(?!\.?$)|^\s+$/.test(step))) ||
    /^\/dev\/(shm|mqueue)/.test(path);
  const rule = hidden ? 'hidden-path' : 'temporary-path';
  docket.report(rule, at, `It runs ${hidden ? 'a hidden file' : 'a file'} of a scratch folder.`, text);
  if (manner.background && base.startsWith('.'))
    docket.report('disguised-process', at, 'It hides by name.', text, 20);
  return named;
}

/** `exec -a NAME`, or an argv[0] that the program was given: a name between brackets is that of a kernel thread. */
export function judgeAlias(alias: Word | undefined, { docket }: Machine): void {
  if (!alias) return;
  const name = fold(alias.text)
    .replace(/^\[|\]$/g, '')
    .replace(/[/:].*$/, '');
  const bracketed = /^\[.*\]$/.test(alias.text.trim());
  const kind = nameIn(name, docket.indicators)?.kind;
  if (bracketed || kind === 'system') {
    docket.report(
      'disguised-process',
      alias.path,
      `It takes the name ${alias.text}.`,
      alias.text,
      bracketed ? 80 : 45,
    );
  }
}
