import type { Word } from './arguments.ts';
import { judgeBinding } from './binding.ts';
import { judgeCode } from './code.ts';
import { runInside } from './container-command.ts';
import { judgeData, judgeEntry } from './data-entries.ts';
import { Docket } from './docket.ts';
import { judgeEnvironment } from './environment.ts';
import { judgeImage } from './image.ts';
import type { Indicators } from './indicators.ts';
import { judgeArguments } from './miner-arguments.ts';
import { fillIn, parametersOf } from './parameters.ts';
import { judgePosture } from './posture.ts';
import { isInert } from './program.ts';
import { judgeRoute } from './route.ts';
import type { RuleId } from './rules.ts';
import { judgeScriptText } from './script-text.ts';
import { judgeSettings } from './settings.ts';
import { isRecord } from './shape.ts';
import { VALUE_LIMIT } from './shell/data.ts';
import { Machine } from './shell/machine.ts';
import { judgeUserData } from './user-data.ts';
import { DENY_FROM, type Judgement, judgementOf } from './verdict.ts';
import { type ContainerView, workloadView } from './workload.ts';

const INTERPRETER = /(^|\/)(python|perl|node|ruby|php|deno|bun)[\d.]*$/;

/** At most so many words of a command are read; the API server has no bound of its own. */
const WORD_LIMIT = 8192;

export interface JudgeOptions {
  indicators: Indicators;
}

/**
 * Judges what a Kubernetes object of any kind would run, and the files that it carries. Lists are taken apart
 * by the caller. Never throws, whatever the object is.
 */
export function judgeObject(object: unknown, { indicators }: JudgeOptions): Judgement {
  const docket = new Docket(indicators);
  return judgeWith(object, deploying(docket));
}

/** What a script deploys is judged once: not what that would deploy in turn. */
function deploying(docket: Docket): Machine {
  const machine = new Machine(docket);
  machine.deploy = (manifest, at) => {
    const inner = new Machine(new Docket(docket.indicators, docket));
    for (const { rule, path, message, evidence, score } of judgeWith(manifest, inner).findings) {
      docket.report(rule as RuleId, at, `In what it deploys, at ${path}: ${message}`, evidence, score);
    }
  };
  return machine;
}

function judgeWith(object: unknown, machine: Machine): Judgement {
  const { docket } = machine;
  if (isRecord(object)) {
    judgeData(object, machine);
    judgeRoute(object, docket);
    judgeBinding(object, machine);
  }
  const view = workloadView(object);
  if (!view) return judgementOf(docket.findings);
  const parameters = isRecord(object) ? parametersOf(object) : new Map<string, string>();
  for (const container of view.containers) judgeContainer(filledIn(container, parameters), machine);
  for (const { path, words } of view.commands) judgeCommand(wordsOf(words, path), machine);
  for (const { path, image } of view.images) judgeImage(image, path, docket);
  for (const script of view.scripts) judgeUserData(script.text, script.path, machine);
  for (const { text, path } of view.settings) judgeSettings(text, path, machine);
  for (const { name, text, path } of view.files) judgeEntry(name, text, path, machine);
  for (const path of view.malformed) {
    docket.report('malformed-workload', path, `${path} has a type that the API server does not take.`);
  }
  if (view.truncated)
    docket.report('analysis-limit', '', 'The object is too deep or too large; parts were not read.');
  if (docket.findings.length > 0) judgePosture(view, docket);
  return judgementOf(docket.findings);
}

/** A container of a workflow as its engine would start it. */
function filledIn(container: ContainerView, parameters: ReadonlyMap<string, string>): ContainerView {
  if (parameters.size === 0) return container;
  const fill = (text: string) => fillIn(text, parameters);
  const { script } = container;
  return {
    ...container,
    image: fill(container.image),
    command: container.command.map(fill),
    args: container.args.map(fill),
    env: container.env.map((variable) => ({ ...variable, value: fill(variable.value) })),
    ...(script ? { script: { ...script, text: fill(script.text) } } : {}),
  };
}

/** Judges the command of `kubectl exec`. Paths of the findings are `command[0]` and so on. */
export function judgeExecRequest(
  request: { command: readonly string[]; container?: string },
  { indicators }: JudgeOptions,
): Judgement {
  const docket = new Docket(indicators);
  judgeCommand(wordsOf(request.command, 'command'), deploying(docket));
  return judgementOf(docket.findings);
}

function judgeContainer(container: ContainerView, machine: Machine): void {
  const { path, image, env } = container;
  judgeImage(image, `${path}.image`, machine.docket);
  judgeEnvironment(env, machine.docket);
  const room = { left: VALUE_LIMIT };
  const variables = expandVariables(env, room);
  machine.begin(variables);
  const expand = (text: string) => expandReferences(text, variables, room);
  const words = [
    ...wordsOf(container.command.map(expand), `${path}.command`),
    ...wordsOf(container.args.map(expand), `${path}.args`),
  ];
  judgeCommand(words, machine);
  const [first] = words;
  const program = first && container.command.length === 0 ? programOf(image) : undefined;
  if (first && program !== undefined && first.text !== program)
    judgeCommand([{ text: program, path: first.path }, ...words], machine);
  // Without a command the first argument may be one of the image's entrypoint.
  const entrypoint = container.command.length === 0 && !isInert(container.args[0] ?? '');
  if (entrypoint) judgeArguments(words.slice(0, WORD_LIMIT), machine.docket);
  for (const hook of container.hooks) judgeCommand(wordsOf(hook.command, hook.path), machine);
  const { script } = container;
  // Argo gives the interpreter as the command and the script beside it, without a first line that names it.
  if (script && INTERPRETER.test(container.command[0] ?? '')) judgeCode(script.text, script.path, machine);
  else if (script) judgeScriptText(script.text, script.path, machine);
}

/** Programs whose images start them, so that the arguments alone tell what is done: curlimages/curl, alpine/helm. */
const STARTED = new Set(
  'curl wget helm kubectl git redis-cli socat ssh docker bash python node perl'.split(' '),
);

function programOf(image: string): string | undefined {
  const name = image
    .replace(/@.*$/, '')
    .replace(/:[^:/]*$/, '')
    .replace(/^.*\//s, '');
  return STARTED.has(name) ? name : undefined;
}

/** A command, or the arguments of an entrypoint that only the image knows. */
function judgeCommand(all: readonly Word[], machine: Machine): void {
  const [first] = all;
  if (!first) return;
  machine.path = first.path;
  const words = all.slice(0, WORD_LIMIT);
  if (words.length < all.length) {
    // People do not write that; a miner may come last.
    const message = `Only ${WORD_LIMIT} of ${all.length} words of the command were read.`;
    machine.docket.report('analysis-limit', first.path, message, undefined, DENY_FROM);
  }
  // No program has blanks in its name, but a scanner that looks at words alone is fooled by it.
  if (/\s/.test(first.text.trim())) machine.runScript(words.map(({ text }) => text).join(' '), first.path);
  else runInside(words, machine);
}

function wordsOf(texts: readonly string[], path: string): Word[] {
  return texts.map((text, index) => ({ text, path: `${path}[${index}]` }));
}

/** What expansion may add to one container: variables that name each other twice double with every one of them. */
interface Room {
  left: number;
}

/** `$(NAME)` in command, args and the value of a variable (the kubelet's expansion). `$$` escapes. */
function expandReferences(text: string, variables: ReadonlyMap<string, string>, room: Room): string {
  if (!text.includes('$(')) return text;
  return text.replace(/\$\$|\$\(([A-Za-z_][\w.-]*)\)/g, (whole, name?: string) => {
    const value = name === undefined ? undefined : variables.get(name);
    if (value === undefined || value.length > room.left) return whole;
    room.left -= value.length;
    return value;
  });
}

/** In order: a variable may refer to those before it. */
function expandVariables(env: ContainerView['env'], room: Room): Map<string, string> {
  const variables = new Map<string, string>();
  for (const { name, value } of env) variables.set(name, expandReferences(value, variables, room));
  return variables;
}
