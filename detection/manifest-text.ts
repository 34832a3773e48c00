import { parseAllDocuments } from 'yaml';
import { isRecord, type JsonRecord, listOf } from './shape.ts';

/** Longer text is not read as YAML. */
const LENGTH_LIMIT = 64 * 1024;
const DOCUMENT_LIMIT = 64;

/** The objects in YAML or JSON text, lists and patches taken apart. What cannot be read is left out: kubectl would refuse it. */
export function manifestsIn(text: string): JsonRecord[] {
  if (text.length > LENGTH_LIMIT) return [];
  const documents = parseAllDocuments(text, { logLevel: 'silent', uniqueKeys: false, strict: false });
  return [...documents].slice(0, DOCUMENT_LIMIT).flatMap((document) => {
    try {
      const object: unknown = document.toJS({ maxAliasCount: 16 });
      const list = isRecord(object) && 'items' in object ? object.items : object;
      return isRecord(list) ? [list] : listOf(list).filter(isRecord).slice(0, DOCUMENT_LIMIT);
    } catch {
      return [];
    }
  });
}
