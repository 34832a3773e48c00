type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON merge patch, RFC 7386: null removes, objects merge, everything else replaces. Changes nothing in place. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Json = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** Keys by which lists of objects merge in server-side apply (`listType=map` of the API types that we write). */
const LIST_KEYS: Record<string, string> = {
  conditions: 'type',
  ownerReferences: 'uid',
  containers: 'name',
  webhooks: 'name',
};

/**
 * What a manager applied, with what it applied before taken away where it is not applied any more: server-side apply
 * (KEP-555), simplified. Ownership is by leaf field; lists without a key are leaves.
 */
export function applyConfiguration(live: Json, previous: Json | undefined, applied: Json): Json {
  return overlay(previous ? without(live, previous, applied) : live, applied) as Json;
}

/** `live` less the leaves of `previous` that are not in `applied`. */
function without(live: Json, previous: Json, applied: Json): Json {
  const result: Json = { ...live };
  for (const [key, value] of Object.entries(previous)) {
    const now = applied[key];
    if (now === undefined) {
      if (isObject(value) && isObject(result[key])) {
        const rest = without(result[key], value, {});
        if (Object.keys(rest).length === 0) delete result[key];
        else result[key] = rest;
      } else delete result[key];
    } else if (isObject(value) && isObject(now) && isObject(result[key])) {
      result[key] = without(result[key], value, now);
    } else {
      const by = LIST_KEYS[key];
      if (by && Array.isArray(value) && Array.isArray(now) && Array.isArray(result[key])) {
        const kept = new Set(now.map((item: Json) => item[by]));
        const gone = new Set(value.map((item: Json) => item[by]).filter((id) => !kept.has(id)));
        result[key] = (result[key] as Json[]).filter((item) => !gone.has(item[by]));
      }
    }
  }
  return result;
}

function overlay(live: unknown, applied: unknown, key = ''): unknown {
  if (isObject(applied)) {
    const result: Json = isObject(live) ? { ...live } : {};
    for (const [name, value] of Object.entries(applied)) result[name] = overlay(result[name], value, name);
    return result;
  }
  const by = LIST_KEYS[key];
  if (by && Array.isArray(applied) && Array.isArray(live)) {
    const result = [...(live as Json[])];
    for (const item of applied as Json[]) {
      const at = result.findIndex((candidate) => candidate[by] === item[by]);
      if (at < 0) result.push(item);
      else result[at] = overlay(result[at], item) as Json;
    }
    return result;
  }
  return applied;
}
