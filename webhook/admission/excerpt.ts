import type { Finding } from '../../api/finding.ts';
import { objectPath } from '../../detection/object-path.ts';
import { isRecord, type JsonRecord } from '../../detection/shape.ts';

/** Stands for what is left out: texts around a match may hold secrets. */
const ELIDED = '…';

/** Of a list, items before the one of interest are kept as a mark each, so that indexes stay what they were. */
const INDEX_LIMIT = 32;
const LENGTH_LIMIT = 4096;

/** Fields that say which part it is, and are no secret. */
const NAMES = ['kind', 'name', 'image'] as const;

/**
 * The parts of an object that its findings point at, in their places, at most 4 KiB of JSON. Of a text only the match is
 * there. Undefined when no finding has a place in the object.
 */
export function excerptOf(object: unknown, findings: readonly Finding[]): JsonRecord | undefined {
  if (!isRecord(object)) return undefined;
  let excerpt: JsonRecord | undefined;
  for (const finding of findings) {
    const steps = objectPath(finding.path);
    const next = steps && (merged(excerpt, taken(object, steps, finding)) as JsonRecord | undefined);
    if (next === undefined || JSON.stringify(next).length > LENGTH_LIMIT) continue;
    excerpt = next;
  }
  return excerpt;
}

/** What lies at `steps`, with what leads to it; undefined when nothing does. */
function taken(value: unknown, [step, ...rest]: readonly (string | number)[], finding: Finding): unknown {
  if (step === undefined) return shown(value, finding);
  if (typeof step === 'number') {
    if (!Array.isArray(value) || step >= value.length || step >= INDEX_LIMIT) return undefined;
    const inside = taken(value[step], rest, finding);
    if (inside === undefined) return undefined;
    return value.slice(0, step + 1).map((_, at) => (at === step ? inside : ELIDED));
  }
  if (!isRecord(value) || !Object.hasOwn(value, step)) return undefined;
  const named = rest.length === 0 && NAMES.some((name) => name === step) && typeof value[step] === 'string';
  const inside = named ? value[step] : taken(value[step], rest, finding);
  return inside === undefined ? undefined : { ...namesOf(value), [step]: inside };
}

function namesOf(value: JsonRecord): JsonRecord {
  return Object.fromEntries(
    NAMES.flatMap((name) => (typeof value[name] === 'string' ? [[name, value[name].slice(0, 256)]] : [])),
  );
}

function shown(value: unknown, { evidence }: Finding): unknown {
  if (isRecord(value)) return { ...namesOf(value), [ELIDED]: ELIDED };
  if (typeof value !== 'string' || !evidence) return ELIDED;
  const match = evidence.replace(/…$/, '');
  const at = value.indexOf(match);
  if (match === '' || at < 0) return ELIDED;
  const before = at > 0 ? `${ELIDED} ` : '';
  const after = at + match.length < value.length ? ` ${ELIDED}` : '';
  return `${before}${match}${after}`;
}

/** Two excerpts of one object as one; a mark gives way to what it stands for. */
function merged(a: unknown, b: unknown): unknown {
  if (a === undefined || a === ELIDED) return b;
  if (b === undefined || b === ELIDED) return a;
  if (Array.isArray(a) && Array.isArray(b)) {
    const [long, short] = a.length >= b.length ? [a, b] : [b, a];
    return long.map((item, at) => merged(item, short[at]));
  }
  // Two matches in one text.
  if (typeof a === 'string' && typeof b === 'string' && !a.includes(b))
    return `${a} ${b}`.replaceAll(`${ELIDED} ${ELIDED}`, ELIDED);
  if (!isRecord(a) || !isRecord(b)) return a;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...keys].map((key) => [key, merged(a[key], b[key])]));
}
