import { gunzipSync, gzipSync } from 'node:zlib';
import { KubesentryError } from '../../../api/errors.ts';
import { LABEL, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Cluster, Stored } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';

/** One object that was kept. */
export interface Kept {
  kind: string;
  name: string;
  uid: string;
  /** How to create it again. */
  undo: string;
}

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

const SECRET = KIND.Secret as typeof KIND.Secret & { shape?: Secret };

/**
 * Keeps what the response is about to delete, in one Secret an incident in our own namespace: manifests may carry
 * passwords. Kept before it is deleted, and never overwritten, so that a step that is repeated knows what it found the
 * first time.
 */
export class Evidence {
  readonly #cluster: Cluster;
  readonly #name: string;

  constructor(cluster: Cluster, incident: string) {
    this.#cluster = cluster;
    this.#name = `${incident}-evidence`;
  }

  /** Raises what the cluster raises: what is not kept must not be deleted. */
  async keep(object: Stored): Promise<void> {
    const key = keyOf(object);
    const kept = await this.#read();
    if (kept?.data?.[key] === undefined) await this.#write(kept, { [key]: pack(object) });
  }

  /** Everything that was kept, in no order. */
  async list(): Promise<Kept[]> {
    const kept = await this.#read();
    return Object.keys(kept?.data ?? {}).map((key) => {
      const [kind = '', ...rest] = key.split('.');
      return { kind, name: rest.slice(0, -1).join('.'), uid: rest.at(-1) ?? '', undo: this.#undo(key) };
    });
  }

  /** The latest one of that kind and name that was kept. */
  async find(kind: string, name: string): Promise<{ object: KubeObject; uid: string } | undefined> {
    const kept = await this.#read();
    const start = `${kind}.${name}.`;
    const keys = Object.keys(kept?.data ?? {}).filter((key) => key.startsWith(start));
    const [key] = keys.slice(-1);
    if (key === undefined) return undefined;
    const packed = kept?.data?.[key] ?? '';
    const object = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as KubeObject;
    return { object, uid: key.slice(start.length) };
  }

  /** How to create it again. */
  #undo(key: string): string {
    return (
      `kubectl -n ${SYSTEM_NAMESPACE} get secret ${this.#name} -o jsonpath='{.data.${key.replaceAll('.', '\\.')}}' | ` +
      'base64 -d | gunzip | kubectl create -f -'
    );
  }

  #read(): Promise<Secret | undefined> {
    return this.#cluster.get(SECRET, { namespace: SYSTEM_NAMESPACE, name: this.#name });
  }

  async #write(before: Secret | undefined, data: Record<string, string>): Promise<void> {
    const key = { namespace: SYSTEM_NAMESPACE, name: this.#name };
    if (before) {
      await this.#cluster.patch(SECRET, key, { data });
      return;
    }
    const incident = this.#name.slice(0, -'-evidence'.length);
    const metadata = { ...key, labels: { [LABEL.incident]: incident } };
    const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data };
    await this.#cluster.create(SECRET, secret).catch(async (error: unknown) => {
      if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
      await this.#cluster.patch(SECRET, key, { data });
    });
  }
}

/** Keys of a Secret are letters, digits, `-`, `_` and `.` (apimachinery validation, IsConfigMapKey), at most 253. */
function keyOf({ kind, metadata }: Stored): string {
  return `${kind}.${(metadata.name ?? '').slice(0, 180)}.${metadata.uid ?? ''}`;
}

/** As it can be created again: without what the API server gave it, and without its state. */
function pack(object: Stored): string {
  const { status: _, metadata, ...rest } = object as Stored & { status?: unknown };
  const { name, namespace, labels, annotations, ownerReferences } = metadata;
  const clean = { ...rest, metadata: { name, namespace, labels, annotations, ownerReferences } };
  return gzipSync(JSON.stringify(clean)).toString('base64');
}
