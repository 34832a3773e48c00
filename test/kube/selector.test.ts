import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import {
  type LabelRequirement,
  matchesSelector,
  parseFieldSelector,
  parseLabelSelector,
} from '../../kube/selector.ts';

// Few names, so that labels and requirements meet; some are properties of every object.
const name = fc.constantFrom('app', 'tier', 'kubernetes.io/name', 'constructor', 'toString', 'x');
const value = fc.constantFrom('', 'web', 'db', 'a.b_c-d', '0');
const labels = fc.dictionary(name, value);

const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({
    key: name,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: name, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
);

function spell({ key, operator, values = [] }: LabelRequirement, space: string, short: boolean): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  const isIn = operator === 'In';
  if (short && values.length === 1) return `${key}${space}${isIn ? '=' : '!='}${space}${values[0]}`;
  return `${key} ${isIn ? 'in' : 'notin'}${space}(${values.join(`,${space}`)})`;
}

describe('label selectors', () => {
  test('however it is written, a selector means its requirements', () => {
    const spelling = fc.record({ space: fc.constantFrom('', ' '), short: fc.boolean() });
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 4 }), labels, spelling, (all, on, { space, short }) => {
        const text = all.map((each) => spell(each, space, short)).join(`,${space}`);
        expect(matchesSelector(parseLabelSelector(text), on)).toBe(
          matchesSelector({ matchExpressions: all }, on),
        );
      }),
    );
  });

  test('In and Exists are the opposites of NotIn and DoesNotExist', () => {
    const opposite = { In: 'NotIn', NotIn: 'In', Exists: 'DoesNotExist', DoesNotExist: 'Exists' } as const;
    fc.assert(
      fc.property(requirement, labels, (one, on) => {
        const other = { ...one, operator: opposite[one.operator] };
        expect(matchesSelector({ matchExpressions: [one] }, on)).not.toBe(
          matchesSelector({ matchExpressions: [other] }, on),
        );
      }),
    );
  });

  test('any text is parsed or refused with KUBE_REFUSED', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('a', ' ', ',', '(', ')', '=', '!', 'in') }),
    );
    fc.assert(
      fc.property(text, (selector) => {
        for (const parse of [parseLabelSelector, (each: string) => parseFieldSelector(each, ['a'])]) {
          try {
            parse(selector);
          } catch (error) {
            expect(error instanceof KubesentryError && error.code).toBe('KUBE_REFUSED');
          }
        }
      }),
    );
  });

  test('a long text takes no long time', () => {
    const started = performance.now();
    for (const text of ['a'.repeat(100_000), `a${' '.repeat(100_000)}(`, `a in (${'a,'.repeat(50_000)}`]) {
      expect(() => parseLabelSelector(`${text}!`)).toThrow('is no label selector');
    }
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('field selectors', () => {
  const pod = { metadata: { name: 'p' }, spec: { nodeName: 'n1' }, status: {} };
  const FIELDS = ['metadata.name', 'spec.nodeName', 'status.phase'];

  test.each([
    ['', true],
    ['spec.nodeName=n1', true],
    ['spec.nodeName==n1,metadata.name!=q', true],
    ['spec.nodeName!=n1', false],
    // What is absent counts as empty, as for the API server.
    ['status.phase=', true],
    ['status.phase=Running', false],
  ])('"%s"', (selector, matches) => {
    expect(parseFieldSelector(selector, FIELDS)(pod)).toBe(matches);
  });
});
