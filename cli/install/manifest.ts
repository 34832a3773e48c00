import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';
import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Kind } from '../../kube/kind.ts';

/** install.yaml of the checkout, or beside the bundle. */
function ownManifest(): string {
  const beside = join(import.meta.dirname, 'install.yaml');
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', '..', 'manifests', 'install.yaml');
}

/** The objects of a manifest, in its order; ours without a `file`, "-" is standard input. Raises INPUT_UNREADABLE. */
export async function readManifest(file: string | undefined): Promise<KubeObject[]> {
  try {
    const yaml = file === '-' ? await text(process.stdin) : await readFile(file ?? ownManifest(), 'utf8');
    // kubectl reads YAML 1.1, and so do those who write for it.
    const documents = parseAllDocuments(yaml, { version: '1.1' });
    const objects = documents.map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS({ maxAliasCount: 100 }) as KubeObject | null;
    });
    return objects.filter((object) => object !== null).map(checked);
  } catch (cause) {
    if (cause instanceof KubesentryError) throw cause;
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new KubesentryError('INPUT_UNREADABLE', `The manifest cannot be read: ${why}`, { cause });
  }
}

function checked(object: KubeObject): KubeObject {
  if (object.apiVersion && object.kind && object.metadata?.name) return object;
  throw new KubesentryError('INPUT_UNREADABLE', 'A document of the manifest is no Kubernetes object.');
}

/** How the API server addresses it. Plurals of the kinds that installations consist of are regular. */
export function kindOf({ apiVersion, kind, metadata }: KubeObject): Kind {
  const plural = kind.toLowerCase().replace(/y$/, 'ie').concat('s');
  return { apiVersion, kind, plural, namespaced: metadata.namespace !== undefined };
}

/** Such as `Deployment kubesentry-system/kubesentry-webhook`. */
export function nameOf({ kind, metadata: { namespace, name } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}
