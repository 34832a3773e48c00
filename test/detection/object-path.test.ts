import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { objectPath } from '../../detection/object-path.ts';

const name = fc.stringMatching(/^[A-Za-z_][\w-]{0,20}$/);
const step = fc.oneof(
  name.map((each) => ({ text: `.${each}`, step: each as string | number })),
  fc.nat(999_999).map((index) => ({ text: `[${index}]`, step: index as string | number })),
  fc.string().map((key) => ({ text: `[${JSON.stringify(key)}]`, step: key as string | number })),
);

describe('a path into an object', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(name, fc.array(step, { maxLength: 8 }), (first, steps) => {
        const text = first + steps.map((each) => each.text).join('');
        expect(objectPath(text)).toEqual([first, ...steps.map((each) => each.step)]);
      }),
    );
  });

  test('never throws, whatever it is given', () => {
    fc.assert(fc.property(fc.string(), (text) => void objectPath(text)));
    expect(objectPath('data["\\x"]')).toBeUndefined();
    expect(objectPath('')).toBeUndefined();
  });
});
