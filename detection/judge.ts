import { Docket } from './docket.ts';
import { judgeImage } from './image.ts';
import type { Indicators } from './indicators.ts';
import { fold } from './text.ts';
import { type Judgement, judgementOf } from './verdict.ts';
import { workloadView } from './workload.ts';

export interface JudgeOptions {
  indicators: Indicators;
}

/** Judges what a Kubernetes object of any kind would run. Never throws, whatever the object is. */
export function judgeObject(object: unknown, { indicators }: JudgeOptions): Judgement {
  const docket = new Docket(indicators);
  const view = workloadView(object);
  for (const container of view?.containers ?? []) {
    judgeImage(container.image, `${container.path}.image`, docket);
    judgeWords([...container.command, ...container.args], `${container.path}.command`, docket);
  }
  return judgementOf(docket.findings);
}

/** Judges the command of `kubectl exec`. */
export function judgeExecRequest(
  request: { command: readonly string[]; container?: string },
  { indicators }: JudgeOptions,
): Judgement {
  const docket = new Docket(indicators);
  judgeWords(request.command, 'command', docket);
  return judgementOf(docket.findings);
}

function judgeWords(words: readonly string[], path: string, docket: Docket): void {
  for (const [index, word] of words.join(' ').split(/\s+/).entries()) {
    const folded = fold(word);
    if (/^stratum\S*:\/\//.test(folded))
      docket.report('stratum-url', path, `It names the pool ${word}.`, word);
    const name = folded.slice(folded.lastIndexOf('/') + 1);
    if (index === 0 && docket.indicators.nameKinds.get(name) === 'miner') {
      docket.report('miner-name', path, `It starts ${name}.`, name);
    }
  }
}
