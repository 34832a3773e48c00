/** Anything that a JSON object may be. */
export type JsonRecord = Record<string, unknown>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? `${value}`
      : '';
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function isWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((word) => typeof word === 'string');
}

/** A command as a JSON array in a text: the exec form of a Dockerfile, a hook of Velero. */
export function wordsIn(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const words: unknown = JSON.parse(text);
    return isWords(words) ? words : undefined;
  } catch {
    return undefined;
  }
}

/** So many parts of what stands in place of a word are read. */
const PART_LIMIT = 512;

/**
 * The strings of a command. A single string or a map in its place is read too, and its path noted as malformed:
 * what the API server refuses today, another controller may take.
 */
export function stringsOf(value: unknown, path: string, malformed: string[]): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) malformed.push(path);
  const items = Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [value];
  return items.map((item, index) => {
    if (typeof item === 'object' && item !== null) {
      malformed.push(`${path}[${index}]`);
      return flatten(item);
    }
    return textOf(item);
  });
}

function flatten(value: object, depth = 0): string {
  if (depth > 4) return '';
  return Object.values(value)
    .slice(0, PART_LIMIT)
    .map((item) => (typeof item === 'object' && item !== null ? flatten(item, depth + 1) : textOf(item)))
    .join(' ');
}
