import { KubesentryError } from '../api/errors.ts';

/**
 * JSON in the canonical form of RFC 8785: no space, members sorted by the UTF-16 units of their names, numbers and
 * strings as ECMAScript writes them. Takes what JSON.parse makes.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}

/**
 * Parses JSON in which no member is named twice: readers differ in which of the two they take, so that a signature over
 * one would be shown for the other. Raises BODY_NOT_JSON.
 */
export function parseUnambiguous(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KubesentryError('BODY_NOT_JSON', 'It is not JSON, or it was cut off.');
  }
  const strings = text.match(/"(?:[^"\\]|\\.)*"\s*:?/g) ?? [];
  if (strings.filter((each) => each.endsWith(':')).length === countMembers(value)) return value;
  throw new KubesentryError('BODY_NOT_JSON', 'A member of an object is there twice.');
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce((sum: number, member) => sum + countMembers(member), 0);
  return Array.isArray(value) ? inside : inside + Object.keys(value).length;
}
