import { isRecord, type JsonRecord, listOf } from './shape.ts';
import { readYaml } from './yaml.ts';

const OBJECT_LIMIT = 64;

/**
 * The objects in YAML or JSON text, lists taken apart; the operations of a JSON Patch stay together. What cannot be read is left out: kubectl would refuse
 * it. `onTooDeep` hears of what kubectl would take.
 */
export function manifestsIn(text: string, onTooDeep: () => void): JsonRecord[] {
  const { values, isTooDeep } = readYaml(text);
  if (isTooDeep) onTooDeep();
  return values.flatMap((object) => {
    const list = isRecord(object) && 'items' in object ? object.items : object;
    if (Array.isArray(list) && isRecord(list[0]) && 'op' in list[0]) return [{ operations: list }];
    return isRecord(list) ? [list] : listOf(list).filter(isRecord).slice(0, OBJECT_LIMIT);
  });
}
