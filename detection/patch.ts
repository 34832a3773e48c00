import { isRecord, type JsonRecord, listOf, textOf } from './shape.ts';

/** A field of a container in a JSON Pointer, or an item of it, and as Gatekeeper writes a location. */
const FIELD = /[/.](image|command|args|env)(?:\/(?:-|\d{1,6}))?$/;

/** More operations of one patch are not read. */
const OPERATION_LIMIT = 256;

/**
 * What a JSON Patch (RFC 6902) gives to a container, all its operations together: words may come one by one. Undefined when
 * that is nothing.
 */
export function patchedContainer(operations: readonly unknown[]): JsonRecord | undefined {
  const container: JsonRecord = {};
  for (const operation of operations.slice(0, OPERATION_LIMIT)) {
    if (!isRecord(operation)) continue;
    const [, field] = FIELD.exec(textOf(operation.path).slice(-64)) ?? [];
    const { value } = operation;
    if (field === undefined || value === undefined) continue;
    container[field] =
      field === 'image'
        ? textOf(value)
        : [...listOf(container[field]), ...(Array.isArray(value) ? value : [value])];
  }
  return Object.keys(container).length === 0 ? undefined : container;
}

/** The same for what Gatekeeper's Assign and AssignImage do to a pod. */
export function assignedContainer({ location, parameters }: JsonRecord): JsonRecord | undefined {
  if (!isRecord(parameters)) return undefined;
  const { assign, assignPath, assignTag } = parameters;
  if (typeof assignPath === 'string') return { image: `${assignPath}${textOf(assignTag)}` };
  const value = isRecord(assign) ? assign.value : undefined;
  return value === undefined ? undefined : patchedContainer([{ path: location, value }]);
}
