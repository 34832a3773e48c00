import type { Word } from './arguments.ts';
import { Docket } from './docket.ts';
import type { JudgeOptions } from './judge.ts';
import { judgeArguments } from './miner-arguments.ts';
import { minerWordScore, nameIn } from './names.ts';
import { judgeAlias, judgeProgram } from './program.ts';
import { Machine } from './shell/machine.ts';
import { type Judgement, judgementOf } from './verdict.ts';

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
  const [first] = words;
  if (!first) return judgementOf(docket.findings);
  if (first.text !== process.exe) judgeOwnName(first, exe, machine);
  const base = exe.slice(exe.lastIndexOf('/') + 1);
  const isNode = nameIn(base, indicators)?.kind === 'node';
  // What an interpreter is told to run; a renamed program is judged as what it claims to be and by its arguments.
  machine.call([{ text: base === '' ? first.text : exe, path: 'argv[0]' }, ...words.slice(1)]);
  if (isRenamed(first.text, base)) judgeArguments(words.slice(1), docket, isNode);
  return judgementOf(docket.findings);
}

function judgeOwnName(first: Word, exe: string, machine: Machine): void {
  const claimed = first.text.replace(/^-/, '').replace(/^.*\//, '');
  const match = nameIn(claimed, machine.docket.indicators);
  if (match?.kind === 'miner') {
    machine.docket.report('miner-name', first.path, `It calls itself ${claimed}.`, claimed);
  } else if (/^\[.+\]$/.test(first.text) && exe !== '') judgeAlias(first, machine);
  else if (minerWordScore(claimed) >= 80)
    machine.docket.report('miner-word', first.path, `It calls itself ${claimed}.`, claimed, 80);
}

function isRenamed(claimed: string, base: string): boolean {
  return claimed.replace(/^-/, '').replace(/^.*\//, '') !== base;
}
