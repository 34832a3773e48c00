import { stringify } from 'yaml';
import { KubesentryError } from '../../api/errors.ts';
import { STEERING } from '../../api/printable.ts';
import type { Cluster, Stored } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import type { Kind } from '../../kube/kind.ts';
import { withoutManagedFields } from '../../kube/managed-fields.ts';
import { Reflector } from '../../kube/reflector.ts';
import { columns } from '../columns.ts';
import type { Session, Usage } from './options.ts';

/** How objects of one kind are shown in columns. */
export interface Table<T> {
  header: readonly string[];
  /** Further ones, with -o wide only. */
  wide: readonly string[];
  row(object: T): readonly string[];
  wideRow(object: T): readonly string[];
  /** What comes first. */
  compare(a: T, b: T): number;
}

export const LIST_OPTIONS = {
  output: { short: 'o' },
  watch: { short: 'w', isSwitch: true },
  'all-namespaces': { short: 'A', isSwitch: true },
  'no-headers': { isSwitch: true },
} as const satisfies Usage['options'];

export const LIST_HELP = `  -n, --namespace NAME   look only there
  -o, --output FORMAT    wide, json, yaml or name; columns without it
  -w, --watch            go on, and show what changes, until Ctrl-C
  -A, --all-namespaces   as kubectl has it; all are shown anyway without -n
      --no-headers       columns without their names`;

const FORMATS = ['wide', 'json', 'yaml', 'name'];

/**
 * Shows the objects that `isMeant`, as kubectl get does, and with --watch every later change as a line of its own.
 * `empty` is said to people when there are none. Raises USAGE for a format that there is not.
 */
export async function list<T extends Stored>(
  session: Session,
  kind: Kind<T>,
  table: Table<T>,
  { isMeant, empty }: { isMeant: (object: T) => boolean; empty: string },
): Promise<void> {
  const { connect, option, flag, write, warn } = session;
  const format = option('output');
  if (format !== undefined && !FORMATS.includes(format)) {
    throw new KubesentryError('USAGE', `There is no format "${format}": ${FORMATS.join(', ')}.`);
  }
  if (flag('all-namespaces') && session.namespace !== undefined) {
    throw new KubesentryError('USAGE', 'Give either --namespace or --all-namespaces.');
  }
  const cluster = await connect();
  const show = (objects: readonly T[], isFirst: boolean) =>
    write(printed(objects, kind, table, { format, header: isFirst && !flag('no-headers'), alone: !isFirst }));
  if (flag('watch')) return watch(session, cluster, kind, { isMeant, show, table });
  const found: T[] = [];
  for await (const object of everyObject(cluster, kind))
    if (isMeant(object)) found.push(withoutManagedFields(object));
  found.sort(table.compare);
  if (found.length === 0 && (format === undefined || format === 'wide')) warn(`${empty}\n`);
  else show(found, true);
}

async function watch<T extends Stored>(
  { warn, signal }: Session,
  cluster: Cluster,
  kind: Kind<T>,
  {
    isMeant,
    show,
    table,
  }: {
    isMeant: (object: T) => boolean;
    show: (objects: readonly T[], isFirst: boolean) => void;
    table: Table<T>;
  },
): Promise<void> {
  let problem: unknown;
  const broken = new AbortController();
  const reflector = new Reflector<T>({
    cluster,
    kind,
    onError: (error) => {
      problem = error;
      // What is refused once will be refused again; everything else may get better.
      if (
        error instanceof KubesentryError &&
        error.code !== 'KUBE_UNREACHABLE' &&
        error.code !== 'KUBE_CONFLICT'
      )
        broken.abort();
      else warn(`${error instanceof Error ? error.message : error} Trying again.\n`);
    },
  });
  const over = AbortSignal.any([signal, broken.signal]);
  const ended = new Promise<void>((resolve) => {
    if (over.aborted) resolve();
    over.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    await Promise.race([reflector.synced, ended]);
    if (!over.aborted) {
      show([...reflector.store.values()].filter(isMeant).sort(table.compare), true);
      let isListening = false;
      reflector.store.listen({
        onSet: (object) => {
          if (isListening && isMeant(object)) show([object], false);
        },
      });
      isListening = true;
    }
    await ended;
  } finally {
    await reflector.stop();
  }
  if (broken.signal.aborted) throw problem;
}

function printed<T extends Stored>(
  objects: readonly T[],
  kind: Kind<T>,
  { header, wide, row, wideRow }: Table<T>,
  { format, header: withHeader, alone }: { format: string | undefined; header: boolean; alone: boolean },
): string {
  switch (format) {
    case 'json':
      return `${asJson(alone ? objects[0] : listOf(objects))}\n`;
    case 'yaml':
      return alone ? `---\n${asYaml(objects[0])}` : asYaml(listOf(objects));
    case 'name':
      return objects
        .map(({ metadata }) => `${kind.kind.toLowerCase()}.kubesentry.io/${metadata.name}\n`)
        .join('');
    default: {
      const isWide = format === 'wide';
      const rows = objects.map((object) => [...row(object), ...(isWide ? wideRow(object) : [])]);
      const text = columns([...header, ...(isWide ? wide : [])], rows);
      return withHeader ? text : text.slice(text.indexOf('\n') + 1);
    }
  }
}

/** Of the characters that steer a terminal JSON leaves some as they are. */
function asJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(STEERING, (letter) =>
    letter === '\n' ? letter : [...units(letter)].map((unit) => `\\u${unit}`).join(''),
  );
}

/** UTF-16 in hexadecimal. */
function* units(letter: string): Generator<string> {
  for (let at = 0; at < letter.length; at++) yield letter.charCodeAt(at).toString(16).padStart(4, '0');
}

/** JSON is YAML too, and takes such characters as escapes everywhere. */
function asYaml(value: unknown): string {
  const text = stringify(value);
  return text.replaceAll('\n', '').search(STEERING) < 0 ? text : `${asJson(value)}\n`;
}

/** As kubectl prints several objects. */
function listOf(items: readonly Stored[]): object {
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
}

/** How long ago, as kubectl says it (apimachinery/pkg/util/duration, HumanDuration). */
export function age(time: string | undefined, now = Date.now()): string {
  const seconds = Math.floor((now - Date.parse(time ?? '')) / 1000);
  if (Number.isNaN(seconds)) return '<unknown>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${seconds % 60 === 0 ? '' : `${seconds % 60}s`}`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return `${hours}h${minutes % 60 === 0 ? '' : `${minutes % 60}m`}`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return `${days}d${hours % 24 === 0 ? '' : `${hours % 24}h`}`;
  return `${days}d`;
}
