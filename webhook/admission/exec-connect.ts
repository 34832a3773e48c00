import { judgeExecRequest } from '../../detection/judge.ts';
import type { Gate } from './gate.ts';
import type { AdmissionRequest } from './review.ts';
import { rulingByMode } from './rules.ts';

/** The command of `kubectl exec` is judged like the command of a container. */
export const execConnect: Gate = (request, facts) => {
  if (request.operation !== 'CONNECT' || request.subResource !== 'exec') return undefined;
  const judgement = judgeExecRequest({ command: commandOf(request) }, facts);
  return rulingByMode(judgement, request, facts);
};

/** PodExecOptions.command. */
export function commandOf({ object }: AdmissionRequest): string[] {
  const command = object?.command;
  return Array.isArray(command) ? command.filter((word) => typeof word === 'string') : [];
}
