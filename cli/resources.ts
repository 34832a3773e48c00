import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';
import { KubesentryError } from '../api/errors.ts';
import { isRecord } from '../detection/shape.ts';
import { ManifestText } from './manifest-text.ts';

/** One Kubernetes object out of a file. */
export interface Resource {
  /** `FILE:LINE` of its first line; `-` is standard input. */
  source: string;
  object: unknown;
  /** Where it stands; undefined for what was read from a cluster. */
  manifest?: ManifestText;
}

/** Aliases may multiply a document; Kubernetes itself refuses many of them. */
const ALIAS_LIMIT = 100;

const FILE_LIMIT = 32 * 1024 * 1024;

const LIST_DEPTH = 8;

/** What templates of Helm have, and no manifest: Argo's own are names alone. */
const TEMPLATE_MARK = /\{\{-|\{\{\s*(?:\.|\$|(?:if|range|with|end|else|define|include|template|toYaml)\b)/;

/** Said instead of what the YAML parser makes of it. */
const TEMPLATE = new TypeError('it is a template; render it first: helm template CHART | kubesentry scan');

/**
 * The files that a `-f` names: itself, or every .yaml, .yml and .json below a folder in order, and what of the folder
 * cannot be looked at (INPUT_UNREADABLE). Links to files are followed, links to folders are not, as with kubectl.
 */
export function filesOf(name: string): { files: string[]; errors: KubesentryError[] } {
  if (name === '-') return { files: ['-'], errors: [] };
  const files: string[] = [];
  const errors: KubesentryError[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
      const path = join(folder, entry.name);
      try {
        if (entry.isDirectory()) walk(path);
        else if (!/\.(ya?ml|json)$/i.test(entry.name)) continue;
        else if (entry.isFile() || statSync(path).isFile()) files.push(path);
        else if (!entry.isSymbolicLink()) throw new TypeError('it is no file');
      } catch (cause) {
        errors.push(unreadable(path, cause));
      }
    }
  };
  try {
    if (statSync(name).isDirectory()) walk(name);
    else files.push(name);
  } catch (cause) {
    errors.push(unreadable(name, cause));
  }
  // Links lead to the same file by several ways; the first is kept.
  const byFile = new Map(files.toReversed().map((file) => [fileBehind(file), file]));
  return { files: [...byFile.values()].reverse(), errors };
}

/** What is gone by now is an error of its own when it is read. */
function fileBehind(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1;
}

/**
 * The objects of one file: every document, lists taken apart. What can be read before a mistake is returned,
 * and the mistake beside it.
 */
export function resourcesOf(file: string): { resources: Resource[]; errors: KubesentryError[] } {
  let text: string;
  try {
    if (file !== '-' && statSync(file).size > FILE_LIMIT) throw new RangeError('it is larger than 32 MiB');
    text = textOfFile(readFileSync(file === '-' ? 0 : file));
  } catch (cause) {
    return { resources: [], errors: [unreadable(file, cause)] };
  }
  const { documents, lines, read } = parseText(text);
  const resources: Resource[] = [];
  const errors: KubesentryError[] = [];
  for (const document of documents) {
    const at = document.contents?.range?.[0] ?? document.range?.[0] ?? 0;
    const source = `${file}:${lines.linePos(at).line}`;
    const [mistake] = document.errors;
    if (mistake) {
      const place = `${file}:${lines.linePos(mistake.pos[0]).line}`;
      // What follows a mistake is often one because of it.
      if (errors.length === 0) errors.push(unreadable(place, TEMPLATE_MARK.test(read) ? TEMPLATE : mistake));
      continue;
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: ALIAS_LIMIT });
      if (value === null || value === undefined) continue;
      if (typeof value !== 'object') throw new TypeError('it holds no object');
      for (const resource of flatten(value, source, new ManifestText(read, lines, document.contents), 0)) {
        if (typeof resource.object === 'object' && resource.object !== null) resources.push(resource);
        else errors.push(unreadable(source, new TypeError('an item of its list is no object')));
      }
    } catch (cause) {
      errors.push(unreadable(source, cause));
    }
  }
  return { resources, errors };
}

/** As text: UTF-8, or UTF-16 with its mark in front, which PowerShell's `>` writes. Raises TypeError for what is none. */
function textOfFile(bytes: Buffer): string {
  const [first, second] = bytes;
  const isLittle = first === 0xff && second === 0xfe;
  const isBig = first === 0xfe && second === 0xff;
  const whole = bytes.subarray(0, bytes.length & ~1);
  const text = isLittle
    ? whole.toString('utf16le')
    : isBig
      ? Buffer.from(whole).swap16().toString('utf16le')
      : bytes.toString('utf8');
  if (text.includes('\0')) throw new TypeError('it is no text');
  return text;
}

/** `read` is the text that positions are of. */
function parseText(text: string) {
  const parsed = parseDocuments(text);
  const isBroken = parsed.documents.some(({ errors }) => errors.length > 0);
  return isBroken && /^\s*\{/.test(text) ? parseDocuments(partObjects(text)) : parsed;
}

function parseDocuments(read: string) {
  const lines = new LineCounter();
  const options = { lineCounter: lines, uniqueKeys: false, merge: true, logLevel: 'silent' } as const;
  return { documents: parseAllDocuments(read, options), lines, read };
}

/** JSON objects one behind the other, as kubectl takes them: YAML wants them marked as documents. */
function partObjects(text: string): string {
  const parts: string[] = [];
  let depth = 0;
  let from = text.indexOf('{');
  for (let at = from; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') at = endOfString(text, at);
    else if (letter === '}') depth--;
    else if (letter === '{' && depth++ === 0 && at > from) {
      parts.push(text.slice(from, at), text[at - 1] === '\n' ? '--- ' : '\n--- ');
      from = at;
    }
  }
  return text.slice(0, text.indexOf('{')) + parts.join('') + text.slice(from);
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** The items of `v1 List`, `PodList` and so on, and of a plain array. Items of a PodList need not say that they are Pods. */
function flatten(value: unknown, source: string, manifest: ManifestText, depth: number): Resource[] {
  const { kind, items, apiVersion } = isRecord(value) ? value : {};
  const isList =
    Array.isArray(items) && (kind === undefined || (typeof kind === 'string' && kind.endsWith('List')));
  const list = isList ? items : Array.isArray(value) ? value : undefined;
  if (!list || depth >= LIST_DEPTH) return [{ source, object: value, manifest }];
  const common = typeof kind === 'string' && kind !== 'List' ? { apiVersion, kind: kind.slice(0, -4) } : {};
  return list.flatMap((item: unknown, at) =>
    flatten(
      isRecord(item) && !('kind' in item) ? { ...common, ...item } : item,
      source,
      manifest.item(at, isList ? 'items' : undefined),
      depth + 1,
    ),
  );
}

function unreadable(name: string, cause: unknown): KubesentryError {
  const said = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
  // The name has the line already.
  const plain = said.replace(/ at line \d+, column \d+:$/, '');
  const reason = plain.startsWith('Maximum call stack') ? 'it is nested too deep' : plain;
  return new KubesentryError('INPUT_UNREADABLE', `${name} cannot be read: ${reason}`, { cause });
}
