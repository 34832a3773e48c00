import { Composer, type CST, Parser } from 'yaml';

/** Longer text is not read as YAML. */
const LENGTH_LIMIT = 64 * 1024;
const DOCUMENT_LIMIT = 64;

/** What people write comes to a dozen. Of text that nests by the thousand, composing takes the cube of the depth. */
const DEPTH_LIMIT = 64;

/** What the documents of a text hold, without those that cannot be read. */
export interface YamlText {
  values: unknown[];
  /** True when one nests so deep that it was left out, though its reader would take it. */
  isTooDeep: boolean;
  /** False when something was guessed: a bracket that is not closed, an indentation that fits nowhere. */
  isValid: boolean;
}

/** Reads YAML 1.2, and JSON, of at most 64 KiB. Never throws. */
export function readYaml(text: string): YamlText {
  const read: YamlText = { values: [], isTooDeep: false, isValid: true };
  if (text.length > LENGTH_LIMIT) return read;
  const tokens = [...new Parser().parse(text)];
  const shallow = tokens.filter((token) => !nestsTooDeep(token));
  read.isTooDeep = shallow.length < tokens.length;
  const composer = new Composer({ logLevel: 'silent', uniqueKeys: false, strict: false });
  for (const document of composer.compose(shallow)) {
    if (read.values.length === DOCUMENT_LIMIT) break;
    if (document.errors.length > 0) read.isValid = false;
    try {
      read.values.push(document.toJS({ maxAliasCount: 16 }));
    } catch {
      // An alias of nothing, or too many of them.
    }
  }
  return read;
}

function nestsTooDeep(token: CST.Token): boolean {
  const open: [CST.Token, number][] = [[token, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [inner, depth] = next;
    if (depth > DEPTH_LIMIT) return true;
    if (inner.type === 'document' && inner.value) open.push([inner.value, depth]);
    if (!('items' in inner)) continue;
    for (const { key, value } of inner.items) {
      if (key) open.push([key, depth + 1]);
      if (value) open.push([value, depth + 1]);
    }
  }
  return false;
}
