import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyFields, type FieldOwners, ownersAfterUpdate } from '../../kube/memory/field-owners.ts';

type Json = Record<string, unknown>;

const leaf = fc.constantFrom<unknown>('1', '2', ['x'], 3);
const map = fc.dictionary(fc.constantFrom('a', 'b', 'c'), leaf, { maxKeys: 3 });
const conditions = fc.uniqueArray(
  fc.record({ type: fc.constantFrom('A', 'B', 'C'), status: fc.constantFrom('True', 'False') }),
  { selector: ({ type }) => type },
);

/** An object with maps, atomic lists and a keyed list; empty parts are left out, as they are when they are applied. */
const object: fc.Arbitrary<Json> = fc
  .record({ data: map, spec: fc.record({ nested: map }), status: fc.record({ conditions }) })
  .map(({ data, spec, status }) => ({
    ...(Object.keys(data).length > 0 && { data }),
    ...(Object.keys(spec.nested).length > 0 && { spec }),
    ...(status.conditions.length > 0 && { status }),
  }));

/** Order in a keyed list means nothing. */
const sorted = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, each) =>
    key === 'conditions'
      ? each.toSorted((a: { type: string }, b: { type: string }) => (a.type < b.type ? -1 : 1))
      : each,
  );

test('who applies and then applies nothing leaves what was there before', () => {
  fc.assert(
    fc.property(object, object, (before, applied) => {
      const owners = ownersAfterUpdate(new Map(), {}, before);
      // What both have with different values is taken over for good: only the rest can come back.
      const first = applyFields(before, owners, 'm', applied);
      const last = applyFields(first.object, first.owners, 'm', {});
      const again = applyFields(last.object, last.owners, 'm', applied);
      expect(sorted(again.object)).toEqual(sorted(first.object));
      for (const path of owners.keys()) {
        if (first.owners.get(path)?.has('(update)')) expect(last.owners.has(path)).toBe(true);
      }
    }),
  );
});

test('an object that one manager alone makes is what it applied last', () => {
  fc.assert(
    fc.property(fc.array(object, { minLength: 1, maxLength: 5 }), (all) => {
      let live: Json = {};
      let owners: FieldOwners = new Map();
      for (const applied of all) ({ object: live, owners } = applyFields(live, owners, 'm', applied));
      expect(sorted(live)).toEqual(sorted(all.at(-1)));
    }),
  );
});

test('every field of the object has an owner, and nothing else has', () => {
  const step = fc.record({ manager: fc.constantFrom('first', 'second', ''), wanted: object });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      let live: Json = {};
      let owners: FieldOwners = new Map();
      for (const { manager, wanted } of steps) {
        if (manager) ({ object: live, owners } = applyFields(live, owners, manager, wanted));
        else {
          owners = ownersAfterUpdate(owners, live, wanted);
          live = wanted;
        }
      }
      const fields = [...ownersAfterUpdate(new Map(), {}, live).keys()];
      expect([...owners.keys()].sort()).toEqual(fields.sort());
      expect([...owners.values()].every((managers) => managers.size > 0)).toBe(true);
    }),
  );
});
