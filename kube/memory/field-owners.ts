import { isDeepStrictEqual } from 'node:util';
import { isObject } from './merge-patch.ts';

type Json = Record<string, unknown>;

/** Who owns which field: managers by path. */
export type FieldOwners = ReadonlyMap<string, ReadonlySet<string>>;

/** Owner of what was written by other means than apply; never takes anything back. */
const WRITER = '(update)';

/** Keys by which lists of objects merge (`listType=map` of the API types that we write). Other lists are one field. */
const LIST_KEYS: Readonly<Record<string, string>> = {
  conditions: 'type',
  ownerReferences: 'uid',
  containers: 'name',
  webhooks: 'name',
};

/** Metadata that nobody owns: identity, and what the server sets. */
const UNOWNED: ReadonlySet<string> = new Set([
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
]);

/** A field, or the item of a keyed list. */
type Step = string | { key: string; is: unknown };
interface Leaf {
  path: Step[];
  value: unknown;
}

/** The owners after an update or a merge patch: what it changed belongs to nobody who applies. */
export function ownersAfterUpdate(owners: FieldOwners, before: Json, after: Json): FieldOwners {
  const old = leavesOf(before);
  return new Map(
    [...leavesOf(after)].map(([path, { value }]) => {
      const isKept = old.has(path) && isDeepStrictEqual(old.get(path)?.value, value);
      return [path, (isKept ? owners.get(path) : undefined) ?? new Set([WRITER])];
    }),
  );
}

/**
 * Server-side apply with force (KEP-555), simplified: a leaf that `manager` owned and applies no longer goes, unless
 * somebody else owns it too; a leaf that it applies with another value becomes its own alone.
 */
export function applyFields(
  live: Json,
  owners: FieldOwners,
  manager: string,
  applied: Json,
): { object: Json; owners: FieldOwners } {
  const current = leavesOf(live);
  const wanted = leavesOf(applied);
  const next = new Map(owners);
  const gone: Step[][] = [];
  for (const [path, managers] of owners) {
    if (!managers.has(manager) || wanted.has(path)) continue;
    const others = new Set([...managers].filter((each) => each !== manager));
    if (others.size > 0) next.set(path, others);
    else {
      next.delete(path);
      gone.push(current.get(path)?.path ?? []);
    }
  }
  // Who owns the key of a list's item owns that it is there: the item goes with all that others wrote into it.
  const items = gone.filter(isItemKey).map((path) => path.slice(0, -1));
  for (const item of items) {
    const prefix = `${JSON.stringify(item).slice(0, -1)},`;
    for (const path of next.keys()) if (path.startsWith(prefix)) next.delete(path);
  }
  const kept = [...items, ...gone].reduce<Json>((rest, path) => (without(rest, path) ?? {}) as Json, live);
  for (const [path, { value }] of wanted) {
    const isSame = current.has(path) && isDeepStrictEqual(current.get(path)?.value, value);
    next.set(path, new Set([...(isSame ? (next.get(path) ?? []) : []), manager]));
  }
  return { object: overlay(kept, applied) as Json, owners: next };
}

function leavesOf(object: Json): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  const visit = (value: unknown, path: Step[], key: string) => {
    const by = LIST_KEYS[key];
    if (isObject(value) && Object.keys(value).length > 0) {
      for (const [name, each] of Object.entries(value)) visit(each, [...path, name], name);
    } else if (by && Array.isArray(value)) {
      for (const item of value as Json[]) visit(item, [...path, { key: by, is: item[by] }], '');
    } else if (value !== undefined) leaves.set(JSON.stringify(path), { path, value });
  };
  const { apiVersion: _, kind: __, metadata, ...rest } = object;
  const owned = Object.entries((metadata ?? {}) as Json).filter(([name]) => !UNOWNED.has(name));
  for (const [name, value] of owned) visit(value, ['metadata', name], name);
  for (const [name, value] of Object.entries(rest)) visit(value, [name], name);
  return leaves;
}

function isItemKey(path: Step[]): boolean {
  const [item, field] = path.slice(-2);
  return typeof item === 'object' && item.key === field;
}

/** `value` less the leaf at `path`, and less what became empty by that; undefined when nothing is left. */
function without(value: unknown, [step, ...rest]: Step[]): unknown {
  if (step === undefined) return undefined;
  if (typeof step === 'string') {
    if (!isObject(value)) return value;
    const { [step]: inner, ...others } = value;
    const remaining = without(inner, rest);
    const result = remaining === undefined ? others : { ...others, [step]: remaining };
    return Object.keys(result).length > 0 ? result : undefined;
  }
  if (!Array.isArray(value)) return value;
  const items = value
    .map((item: Json) => (item[step.key] === step.is ? without(item, rest) : item))
    .filter((item) => item !== undefined);
  return items.length > 0 ? items : undefined;
}

function overlay(live: unknown, applied: unknown, key = ''): unknown {
  if (isObject(applied)) {
    const result: Json = isObject(live) ? { ...live } : {};
    for (const [name, value] of Object.entries(applied)) result[name] = overlay(result[name], value, name);
    return result;
  }
  const by = LIST_KEYS[key];
  if (!by || !Array.isArray(applied) || !Array.isArray(live)) return applied;
  const result = [...(live as Json[])];
  for (const item of applied as Json[]) {
    const at = result.findIndex((candidate) => candidate[by] === item[by]);
    if (at < 0) result.push(item);
    else result[at] = overlay(result[at], item) as Json;
  }
  return result;
}
