import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { KubesentryError } from '../../../api/errors.ts';
import { ownedByIncident } from '../../../api/incident.ts';
import { LABEL, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { KubeObject, ObjectMeta } from '../../../api/object.ts';
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
 * Of a MiB that a Secret may hold (MaxSecretSize in kubernetes/pkg/apis/core/types.go), what manifests may take, and what
 * is left for those that find no room: an attacker chooses how large they are and how well they compress.
 */
const ROOM = 832 * 1024;
const ROOM_AT_ALL = 992 * 1024;

/** Letters of a text in a manifest that is kept in part. */
const TEXT = 256;

/**
 * Keeps what the response is about to delete, in one Secret an incident in our own namespace: manifests may carry
 * passwords. Kept before it is deleted, and never overwritten, so that a step that is repeated knows what it found the
 * first time.
 */
export class Evidence {
  readonly #cluster: Cluster;
  readonly #incident: ObjectMeta;
  readonly #name: string;
  /** As it was read or written last; nobody else keeps anything meanwhile. */
  #kept: Promise<Secret | undefined> | undefined;

  constructor(cluster: Cluster, incident: ObjectMeta) {
    this.#cluster = cluster;
    this.#incident = incident;
    this.#name = `${incident.name ?? ''}-evidence`;
  }

  /**
   * Whole, or in part where there is no room. Raises what the cluster raises: what is not kept must not be deleted.
   */
  async keep(object: Stored): Promise<void> {
    const key = keyOf(object);
    const kept = await this.#read();
    if (kept?.data?.[key] !== undefined) return;
    const size = sizeOf(kept?.data) + key.length;
    const manifest = manifestOf(object);
    const packed =
      [manifest, inPart(manifest, 'texts cut')].map(pack).find((each) => size + bytesOf(each) <= ROOM) ??
      pack(inPart(identityOf(manifest), 'all but its name is left out', manifest));
    if (size + bytesOf(packed) > ROOM_AT_ALL) {
      throw new KubesentryError('INTERNAL', `Secret ${SYSTEM_NAMESPACE}/${this.#name} is full.`);
    }
    await this.#write(kept, { [key]: packed });
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
    this.#kept ??= this.#cluster.get(SECRET, { namespace: SYSTEM_NAMESPACE, name: this.#name });
    return this.#kept;
  }

  async #write(before: Secret | undefined, data: Record<string, string>): Promise<void> {
    const key = { namespace: SYSTEM_NAMESPACE, name: this.#name };
    this.#kept = undefined;
    if (before) {
      this.#kept = Promise.resolve(await this.#cluster.patch(SECRET, key, { data }));
      return;
    }
    const labels = { [LABEL.incident]: this.#incident.name ?? '' };
    const metadata = { ...key, labels, ...ownedByIncident(this.#incident) };
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
function manifestOf(object: Stored): KubeObject {
  const { status: _, metadata, ...rest } = object as Stored & { status?: unknown };
  const { name, namespace, labels, annotations, ownerReferences } = metadata;
  return { ...rest, metadata: { name, namespace, labels, annotations, ownerReferences } } as KubeObject;
}

function identityOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace } } as KubeObject;
}

/**
 * What is left of `whole`, with what was done to it and what it was known by. Long annotations go, since an account is
 * made anew from this; other long texts are cut.
 */
function inPart(object: KubeObject, how: string, whole = object): object {
  const { annotations, ...metadata } = object.metadata;
  const short = Object.entries(annotations ?? {}).filter(([, value]) => value.length <= TEXT);
  const less = { ...object, metadata: { ...metadata, annotations: Object.fromEntries(short) } };
  const text = JSON.stringify(whole);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return {
    keptInPart: `${how}; the whole manifest has ${text.length} letters, sha256 ${sha256}`,
    ...(JSON.parse(JSON.stringify(less), (_, value) =>
      typeof value === 'string' && value.length > TEXT ? `${value.slice(0, TEXT)}...` : value,
    ) as object),
  };
}

function pack(object: object): string {
  return gzipSync(JSON.stringify(object)).toString('base64');
}

function sizeOf(data: Secret['data'] = {}): number {
  return Object.entries(data).reduce((sum, [key, value]) => sum + key.length + bytesOf(value), 0);
}

/** Of what base64 stands for. */
function bytesOf(base64: string): number {
  return Math.ceil((base64.length * 3) / 4);
}
