import { KubesentryError } from '../api/errors.ts';

/** metav1.LabelSelector, as webhook configurations and workloads have it. */
export interface LabelSelector {
  matchLabels?: Readonly<Record<string, string>>;
  matchExpressions?: readonly LabelRequirement[];
}

export interface LabelRequirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: readonly string[];
}

/** An absent or empty selector matches everything. */
export function matchesSelector(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> = {},
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  // A label may be called "constructor": only own properties are labels.
  const labelOf = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labelOf(key);
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      if (operator === 'In') return value !== undefined && values.includes(value);
      return value === undefined || !values.includes(value);
    })
  );
}

const KEY = '[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?';
const SET = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s*\(([A-Za-z0-9._,\s-]*)\)$`);
const EQUALITY = new RegExp(String.raw`^(${KEY})\s*(==|=|!=)\s*([A-Za-z0-9._-]*)$`);
const EXISTENCE = new RegExp(String.raw`^(!?)\s*(${KEY})$`);

/**
 * Parses label selector syntax (apimachinery pkg/labels/selector.go): comma-separated `k`, `!k`, `k=v`, `k==v`,
 * `k!=v`, `k in (a,b)`, `k notin (a,b)`. Raises KUBE_REFUSED for anything else.
 */
export function parseLabelSelector(selector: string | undefined): LabelSelector {
  return { matchExpressions: splitTerms(selector ?? '').map(parseRequirement) };
}

/** Commas inside parentheses belong to a set. */
function splitTerms(selector: string): string[] {
  if (selector.trim() === '') return [];
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
  return terms;
}

function parseRequirement(term: string): LabelRequirement {
  const set = SET.exec(term);
  if (set) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return { key, operator: operator === 'in' ? 'In' : 'NotIn', values };
  }
  const equality = EQUALITY.exec(term);
  if (equality) {
    const [, key = '', operator, value = ''] = equality;
    return { key, operator: operator === '!=' ? 'NotIn' : 'In', values: [value] };
  }
  const existence = EXISTENCE.exec(term);
  if (existence) {
    const [, not, key = ''] = existence;
    return { key, operator: not ? 'DoesNotExist' : 'Exists' };
  }
  throw new KubesentryError('KUBE_REFUSED', `"${term}" is no label selector.`);
}

/**
 * Parses `a=b,c!=d` over dotted paths. Raises KUBE_REFUSED for anything else, and for a path that is not among
 * `fields`: an API server selects by a few fields only.
 */
export function parseFieldSelector(
  selector: string | undefined,
  fields: readonly string[],
): (object: object) => boolean {
  const terms = (selector ?? '').split(',').filter(Boolean);
  const requirements = terms.map((term) => {
    const match = /^([A-Za-z.]+)(!=|==|=)(.*)$/.exec(term.trim());
    if (!match) throw new KubesentryError('KUBE_REFUSED', `"${term}" is no field selector.`);
    const [, path = '', operator, value] = match;
    if (!fields.includes(path)) {
      throw new KubesentryError('KUBE_REFUSED', `field label not supported: ${path}`);
    }
    return (object: object) => (fieldAt(object, path) === value) === (operator !== '!=');
  });
  return (object) => requirements.every((matches) => matches(object));
}

function fieldAt(object: object, path: string): string {
  let value: unknown = object;
  for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
  return value === undefined || value === null ? '' : String(value);
}
