import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';
import { KubesentryError } from '../api/errors.ts';
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

/** Said instead of what the YAML parser makes of it. */
const TEMPLATE = new TypeError('it is a template; render it first: helm template CHART | kubesentry scan');

/**
 * The files that a `-f` names: itself, or every .yaml, .yml and .json below a folder in order.
 * Raises INPUT_UNREADABLE.
 */
export function filesOf(name: string): string[] {
  if (name === '-') return ['-'];
  try {
    if (!statSync(name).isDirectory()) return [name];
    const files = readdirSync(name, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ya?ml|json)$/i.test(file))
      .sort()
      .map((file) => join(name, file));
    // Links lead to the same file by several ways; the first is kept.
    const byFile = new Map(files.toReversed().map((file) => [fileBehind(file), file]));
    return [...byFile.values()].reverse();
  } catch (cause) {
    throw unreadable(name, cause);
  }
}

/** A link that leads nowhere is an error of its own when it is read. */
function fileBehind(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

/**
 * The objects of one file: every document, lists taken apart. What can be read before a mistake is returned,
 * and the mistake beside it.
 */
export function resourcesOf(file: string): { resources: Resource[]; error?: KubesentryError } {
  let text: string;
  try {
    if (file !== '-' && statSync(file).size > FILE_LIMIT) throw new RangeError('it is larger than 32 MiB');
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    return { resources: [], error: unreadable(file, cause) };
  }
  const lines = new LineCounter();
  const resources: Resource[] = [];
  let error: KubesentryError | undefined;
  for (const document of parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: false,
    merge: true,
    logLevel: 'silent',
  })) {
    const at = document.contents?.range?.[0] ?? document.range?.[0] ?? 0;
    const source = `${file}:${lines.linePos(at).line}`;
    const [mistake] = document.errors;
    if (mistake) {
      error ??= unreadable(
        `${file}:${lines.linePos(mistake.pos[0]).line}`,
        text.includes('{{') ? TEMPLATE : mistake,
      );
      continue;
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: ALIAS_LIMIT });
      if (value === null || value === undefined) continue;
      if (typeof value !== 'object') throw new TypeError('it holds no object');
      resources.push(...flatten(value, source, new ManifestText(text, lines, document.contents), 0));
    } catch (cause) {
      error ??= unreadable(source, cause);
    }
  }
  return error ? { resources, error } : { resources };
}

/** The items of `v1 List`, `PodList` and so on, and of a plain array. */
function flatten(value: unknown, source: string, manifest: ManifestText, depth: number): Resource[] {
  const { kind, items } = (typeof value === 'object' ? value : {}) as { kind?: unknown; items?: unknown };
  const isList =
    Array.isArray(items) && (kind === undefined || (typeof kind === 'string' && kind.endsWith('List')));
  const list = isList ? items : Array.isArray(value) ? value : undefined;
  if (!list || depth >= LIST_DEPTH) return [{ source, object: value, manifest }];
  return list.flatMap((item: unknown, at) =>
    flatten(item, source, manifest.item(at, isList ? 'items' : undefined), depth + 1),
  );
}

function unreadable(name: string, cause: unknown): KubesentryError {
  const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
  return new KubesentryError('INPUT_UNREADABLE', `${name} cannot be read: ${reason}`, { cause });
}
