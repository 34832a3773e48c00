import { Docket } from './docket.ts';
import type { JudgeOptions } from './judge.ts';
import { fold } from './text.ts';
import { type Judgement, judgementOf } from './verdict.ts';

/** A process as the kernel shows it. */
export interface ProcessFacts {
  exe: string;
  comm?: string;
  argv: readonly string[];
  sha256?: string | null;
}

/** Judges one process. Paths of the findings are fields of it: `exe`, `comm`, `argv[3]`, `sha256`. */
export function judgeProcess(process: ProcessFacts, { indicators }: JudgeOptions): Judgement {
  const docket = new Docket(indicators);
  const name = fold(process.exe.slice(process.exe.lastIndexOf('/') + 1));
  if (indicators.nameKinds.get(name) === 'miner')
    docket.report('miner-name', 'exe', `It runs ${name}.`, name);
  if (process.sha256 && indicators.hashes.has(process.sha256)) {
    docket.report('miner-hash', 'sha256', 'Its binary is that of a known miner.', process.sha256);
  }
  for (const [index, word] of process.argv.entries()) {
    if (/^stratum\S*:\/\//.test(fold(word)))
      docket.report('stratum-url', `argv[${index}]`, 'It names a pool.', word);
  }
  return judgementOf(docket.findings);
}
