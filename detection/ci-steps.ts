import { manifestsIn } from './manifest-text.ts';
import { isRecord, textOf } from './shape.ts';
import type { Machine } from './shell/machine.ts';

/** Keys under which build servers and Ansible have shell commands. */
const STEP =
  /^(?:run|script|before_script|after_script|commands?|shell|sh|bash|cmd|ansible\.builtin\.(?:shell|command))$/;
const STEPS =
  /^[ \t]*(?:-[ \t]+)?["']?(?:run|script|before_script|commands?|shell|sh|ansible\.builtin\.shell)["']?:/m;

/** What a step of a dropper or of a miner has. */
const SIGNAL = /curl|wget|git clone|chmod|stratum|xmr|min(?:er|ing)|\/tmp\/|\/dev\/shm/i;

const STEP_LIMIT = 64;
const DEPTH_LIMIT = 16;

/** Whether a file is YAML that describes the steps of a build or a playbook, and they may matter. */
export function hasSteps(key: string, text: string): boolean {
  return /\.ya?ml$/i.test(key) && STEPS.test(text) && SIGNAL.test(text);
}

/** Judges the steps of GitLab CI, GitHub Actions, Tekton's kin and Ansible. Manifests of Kubernetes are not meant. */
export function judgeSteps(text: string, path: string, machine: Machine): void {
  if (!machine.docket.spend(4 * text.length, path)) return;
  let left = STEP_LIMIT;
  const visit = (value: unknown, depth: number): void => {
    if (depth > DEPTH_LIMIT || typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const lines = STEP.test(key) ? linesOf(child) : '';
      if (lines === '') visit(child, depth + 1);
      else if (left-- > 0) machine.runScript(lines, path);
    }
  };
  const onTooDeep = () => machine.docket.report('analysis-limit', path, 'It nests too deep to be read.');
  for (const document of manifestsIn(text, onTooDeep))
    if (!isRecord(document) || !('apiVersion' in document)) visit(document, 0);
}

function linesOf(value: unknown): string {
  return Array.isArray(value) ? value.map(textOf).join('\n') : textOf(value);
}
