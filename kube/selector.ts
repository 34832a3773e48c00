import { KubesentryError } from '../api/errors.ts';

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

/** Tells whether labels match. */
export type LabelMatcher = (labels: Readonly<Record<string, string>> | undefined) => boolean;

const KEY = '[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?';
const SET = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s+\(([^()]*)\)$`);
const EQUALITY = new RegExp(String.raw`^(${KEY})\s*(==|=|!=)\s*([A-Za-z0-9._-]*)$`);
const EXISTENCE = new RegExp(String.raw`^(!?)\s*(${KEY})$`);

/**
 * Parses label selector syntax (apimachinery pkg/labels/selector.go): comma-separated `k`, `!k`, `k=v`, `k==v`,
 * `k!=v`, `k in (a,b)`, `k notin (a,b)`. Raises USAGE for anything else.
 */
export function parseLabelSelector(selector: string | undefined): LabelMatcher {
  const requirements = splitTerms(selector ?? '').map(parseRequirement);
  return (labels = {}) => requirements.every((matches) => matches(labels));
}

/** Commas inside parentheses belong to a set. */
function splitTerms(selector: string): string[] {
  const terms: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= selector.length; i++) {
    const char = selector[i];
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (char === undefined || (char === ',' && depth === 0)) {
      terms.push(selector.slice(start, i).trim());
      start = i + 1;
    }
  }
  return terms.filter(Boolean);
}

function parseRequirement(term: string): Requirement {
  const set = SET.exec(term);
  if (set) {
    const [, key = '', , operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    return operator === 'in'
      ? (labels) => labels[key] !== undefined && values.has(labels[key])
      : (labels) => labels[key] === undefined || !values.has(labels[key]);
  }
  const equality = EQUALITY.exec(term);
  if (equality) {
    const [, key = '', , operator, value] = equality;
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const existence = EXISTENCE.exec(term);
  if (existence) {
    const [, not, key = ''] = existence;
    return not ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
  }
  throw new KubesentryError('USAGE', `"${term}" is no label selector.`);
}

/** metav1.LabelSelector, as webhook configurations and workloads have it. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: {
    key: string;
    operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    values?: string[];
  }[];
}

/** An absent or empty selector matches everything. */
export function matchesSelector(
  selector: LabelSelector | undefined,
  labels: Record<string, string> = {},
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      if (operator === 'In') return value !== undefined && values.includes(value);
      return value === undefined || !values.includes(value);
    })
  );
}

/** Parses `a=b,c!=d` over fields given as dotted paths. */
export function parseFieldSelector(selector: string | undefined): (object: object) => boolean {
  const terms = (selector ?? '').split(',').filter(Boolean);
  const requirements = terms.map((term) => {
    const match = /^([A-Za-z.]+)(!=|==|=)(.*)$/.exec(term.trim());
    if (!match) throw new KubesentryError('USAGE', `"${term}" is no field selector.`);
    const [, path = '', operator, value] = match;
    return (object: object) => (fieldAt(object, path) === value) === (operator !== '!=');
  });
  return (object) => requirements.every((matches) => matches(object));
}

function fieldAt(object: object, path: string): string {
  let value: unknown = object;
  for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
  return value === undefined || value === null ? '' : String(value);
}
