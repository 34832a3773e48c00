import type { Finding } from '../api/finding.ts';
import { CONCLUSIVE } from '../api/weight.ts';
import type { Word } from './arguments.ts';
import { Docket } from './docket.ts';
import type { JudgeOptions } from './judge.ts';
import { judgeArguments } from './miner-arguments.ts';
import { judgeMinerConfig } from './miner-config.ts';
import { minerWordScore, nameIn } from './names.ts';
import { isInert, judgeAlias, judgeProgram, SCRATCH } from './program.ts';
import { Machine } from './shell/machine.ts';
import { type Judgement, judgementOf } from './verdict.ts';

/** Of a wallet that is mined, given by itself. */
const WALLET_SCORE = 40;

/** A process as the kernel shows it. */
export interface ProcessFacts {
  /** Path of the binary; ` (deleted)` at its end and `/memfd:` at its start are the kernel's. */
  exe: string;
  comm?: string;
  argv: readonly string[];
  /** SHA-256 of the binary, in hexadecimal. */
  sha256?: string | null;
}

/** Judges one process. Paths of the findings are fields of it: `exe`, `comm`, `argv[3]`, `sha256`. */
export function judgeProcess(process: ProcessFacts, { indicators }: JudgeOptions): Judgement {
  const docket = new Docket(indicators);
  const machine = new Machine(docket);
  const exe = process.exe.replace(/ \(deleted\)$/, '');
  if (process.sha256 && indicators.hashes.has(process.sha256)) {
    docket.report('miner-hash', 'sha256', 'Its binary is that of a known miner.', process.sha256);
  }
  judgeProgram([{ text: exe, path: 'exe' }], machine);
  if (exe !== process.exe || /^\/?memfd:/.test(exe)) {
    docket.report('hidden-path', 'exe', 'Its binary is gone from the file system, or never was there.', exe);
  }
  const comm = process.comm ? nameIn(process.comm, indicators) : undefined;
  if (comm?.kind === 'miner')
    docket.report('miner-name', 'comm', `It calls itself ${process.comm}.`, comm.name);
  const words: Word[] = process.argv.map((text, index) => ({ text, path: `argv[${index}]` }));
  const [first, ...rest] = words;
  if (!first) return judgementOf(docket.findings);
  if (first.text !== process.exe) judgeOwnName([first, ...rest], exe, machine);
  const base = baseOf(exe);
  const isNode = nameIn(base, indicators)?.kind === 'node';
  // What an interpreter is told to run; a renamed program is judged as what it claims to be and by its arguments.
  machine.call([{ text: base === '' ? first.text : exe, path: 'argv[0]' }, ...rest]);
  if (!isInert(exe)) {
    for (const { text, path } of rest.slice(0, 64)) {
      const start = text.indexOf('{');
      if (start >= 0 && /^(?:-{1,2}[\w-]+=)?$/.test(text.slice(0, Math.min(start, 64))))
        judgeMinerConfig(text, path, docket);
    }
  }
  if (isRenamed(first.text, base)) judgeArguments(rest, docket, { isNode });
  else if (isInert(exe) || base === 'busybox') judgeBorrowedName(base, rest, docket);
  return judgementOf(docket.findings);
}

/** Judges the text of the settings file that a process was given. */
export function judgeSettingsFile(text: string, { indicators }: JudgeOptions): readonly Finding[] {
  const docket = new Docket(indicators);
  judgeMinerConfig(text, 'settings', docket);
  return docket.findings;
}

function judgeOwnName([first, ...rest]: readonly [Word, ...Word[]], exe: string, machine: Machine): void {
  const claimed = baseOf(first.text.replace(/^-/, ''));
  // Where only the script is known, the first argument is its interpreter.
  const isScript = rest.slice(0, 3).some(({ text }) => baseOf(text) === baseOf(exe));
  const match = nameIn(claimed, machine.docket.indicators);
  if (match?.kind === 'miner') {
    machine.docket.report('miner-name', first.path, `It calls itself ${claimed}.`, claimed);
  } else if (/^\[.+\]$/.test(first.text) && exe !== '') judgeAlias(first, machine);
  else if (SCRATCH.test(exe) && isRenamed(first.text.replace(/:.*$/, ''), baseOf(exe)) && !isScript)
    judgeDisguise(first, machine);
  else if (minerWordScore(claimed) >= 80)
    machine.docket.report('miner-word', first.path, `It calls itself ${claimed}.`, claimed, 80);
}

/** What runs from a scratch folder under the name, or the path, of a part of the system. */
function judgeDisguise(first: Word, machine: Machine): void {
  if (!/^(\/usr)?(\/local)?\/(s?bin|lib|lib64|libexec|opt)\//.test(first.text)) {
    judgeAlias(first, machine);
    return;
  }
  const message = `It claims to be ${first.text}, but runs from a scratch folder.`;
  machine.docket.report('disguised-process', first.path, message, first.text);
}

/** Programs that are given text, which may be about miners, or commands for elsewhere. */
const TEXT =
  /^(?:busybox|[efz]?grep|rg|ag|sed|[gm]?awk|echo|printf?|cat|tee|tr|cut|jq|yq|find|logger|mail|git|ssh|kubectl|oc|helm|docker|podman|nerdctl|crictl|ctr|psql|mysql|sqlite3|(?:ba|da|a|z|k)?sh)$/;

/**
 * An image may have a miner under the name of a program that every system has. What nobody tells that program counts all
 * the same, if it leaves no doubt; of those that work on text only with somebody to pay beside it.
 */
function judgeBorrowedName(base: string, words: readonly Word[], docket: Docket): void {
  const own = new Docket(docket.indicators);
  judgeArguments(words, own);
  const pays = own.findings.some(({ rule, score }) => rule === 'wallet-argument' && score >= WALLET_SCORE);
  if (TEXT.test(base) && !pays) return;
  for (const { rule, path, message, evidence, score } of own.findings) {
    if (score === CONCLUSIVE && (rule === 'stratum-url' || rule === 'miner-arguments'))
      docket.report(rule, path, message, evidence, score);
  }
}

function isRenamed(claimed: string, base: string): boolean {
  return baseOf(claimed.replace(/^-/, '')) !== base;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
