import { isRecord, listOf, textOf } from './shape.ts';

/** Where Argo and Tekton keep values that templates name. */
const HOLDER = /^(params|parameters)$/;

const DEPTH_LIMIT = 12;
const PARAMETER_LIMIT = 128;
const NODE_LIMIT = 2_000;

/** Of a text, and of what parameters add to it: one may be named again and again. */
const LENGTH_LIMIT = 65_536;

/** Values of parameters by name, as far as the object itself gives them: `value`, or `default`. */
export function parametersOf(object: Record<string, unknown>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let nodes = 0;
  const visit = (value: unknown, key: string, depth: number): void => {
    if (depth > DEPTH_LIMIT || ++nodes > NODE_LIMIT || typeof value !== 'object' || value === null) return;
    if (Array.isArray(value) && HOLDER.test(key)) for (const entry of value) note(entry, found);
    for (const [name, child] of Object.entries(value))
      visit(child, Array.isArray(value) ? '' : name, depth + 1);
  };
  const spec = object.spec;
  // Only these engines expand; a walk through every other object would cost for nothing.
  if (isRecord(spec) && /argoproj|tekton/.test(textOf(object.apiVersion))) visit(spec, '', 0);
  return found;
}

function note(entry: unknown, found: Map<string, string>): void {
  if (!isRecord(entry) || found.size >= PARAMETER_LIMIT) return;
  const given = entry.value ?? entry.default;
  const text = Array.isArray(given) ? listOf(given).map(textOf).join(' ') : textOf(given);
  if (text !== '') found.set(textOf(entry.name), text);
}

/** `{{inputs.parameters.NAME}}`, `{{workflow.parameters.NAME}}`, `$(params.NAME)`. What is not known stays. */
export function fillIn(text: string, parameters: ReadonlyMap<string, string>): string {
  if (parameters.size === 0 || text.length > LENGTH_LIMIT) return text;
  let room = LENGTH_LIMIT;
  return text.replace(
    /\{\{\s*=?(?:inputs|workflow)\.parameters\.([\w-]{1,63})\s*\}\}|\$\((?:inputs\.)?params\.([\w-]{1,63})\)/g,
    (whole, argo?: string, tekton?: string) => {
      const value = parameters.get(argo ?? tekton ?? '');
      if (value === undefined || value.length > room) return whole;
      room -= value.length;
      return value;
    },
  );
}
