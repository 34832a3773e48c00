import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { KubesentryError } from '../../api/errors.ts';
import type { ObjectKey, WriteOptions } from '../cluster.ts';
import { KIND, type ResourceName } from '../kind.ts';
import { admit } from './admission.ts';
import type { AdmissionRequest, User } from './admission-request.ts';
import { type FieldOwners, ownersAfterUpdate } from './field-owners.ts';
import { discard } from './garbage.ts';
import type { AnyObject, Storage } from './storage.ts';

/** How often a patch is made anew when the object changed while admission was asked; as a real API server does. */
const ATTEMPTS = 5;

/** What a write makes of the object that is there, and who owns its fields then, where that is not by update. */
export type Change = (before: AnyObject) => { wanted: AnyObject; owners?: FieldOwners };

/** A request for admission, as far as who asks for it knows it. */
type Asked = Omit<AdmissionRequest, 'user' | 'namespaceLabels'>;

export interface WriterListener {
  onWarning(warning: string, user: User): void;
  onFailedOpen(webhook: string, reason: string): void;
}

/** Writes for one user: what the server sets, what it refuses, and the admission of it all. */
export class Writer {
  readonly #storage: Storage;
  readonly #user: User;
  readonly #listener: WriterListener;

  constructor(storage: Storage, user: User, listener: WriterListener) {
    this.#storage = storage;
    this.#user = user;
    this.#listener = listener;
  }

  /** Raises KUBE_NOT_FOUND. */
  existing(kind: ResourceName, key: ObjectKey): AnyObject {
    const object = this.#storage.get(kind, key);
    if (!object) throw new KubesentryError('KUBE_NOT_FOUND', `${kind.plural} "${key.name}" not found`);
    return object;
  }

  /** Stores `fresh`, which becomes ours to change. */
  async create(
    kind: ResourceName,
    fresh: AnyObject,
    { dryRun = false }: WriteOptions,
    ownersOf: (made: AnyObject) => FieldOwners,
  ): Promise<AnyObject> {
    const { metadata } = fresh;
    if (metadata.generateName) {
      metadata.name ??= `${metadata.generateName}${randomBytes(3).toString('hex').slice(1)}`;
    }
    if (!metadata.name) {
      throw new KubesentryError('KUBE_REFUSED', `${kind.kind} needs metadata.name or generateName.`);
    }
    if (kind.namespaced) this.#requireNamespace(kind, metadata.namespace);
    const key = metadata as ObjectKey;
    this.#refuseExisting(kind, key);
    // As the API server does, so that selectors can go by a name that nobody can change.
    if (kind.kind === 'Namespace') {
      metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
    }
    metadata.uid = randomUUID();
    metadata.creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    metadata.generation = 1;
    if (hasStatus(kind)) delete fresh.status;
    await this.admit({ operation: 'CREATE', kind, key, object: fresh, dryRun });
    this.#refuseExisting(kind, key);
    return dryRun ? fresh : this.#storage.put(kind, fresh, ownersOf(fresh));
  }

  /** What is there may change while admission is asked: then the change is made anew, of what is there now. */
  async change(
    kind: ResourceName,
    key: ObjectKey,
    { dryRun = false, subresource }: WriteOptions,
    change: Change,
  ): Promise<AnyObject> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const before = this.existing(kind, key);
      const { wanted, owners } = change(before);
      for (const field of ['resourceVersion', 'uid'] as const) {
        const required = wanted.metadata[field];
        if (required !== undefined && required !== before.metadata[field]) throw modified(kind, key);
      }
      const after = successor(kind, before, wanted, subresource);
      await this.admit({
        operation: 'UPDATE',
        kind,
        key,
        subresource,
        object: after,
        oldObject: before,
        dryRun,
      });
      if (dryRun) return after;
      if (this.#storage.get(kind, key) !== before) continue;
      const next = owners ?? ownersAfterUpdate(this.#storage.ownersOf(before), before, after);
      if (isDeepStrictEqual(after, before)) {
        this.#storage.own(before, next);
        return before;
      }
      if (before.metadata.deletionTimestamp && !after.metadata.finalizers?.length) {
        discard(this.#storage, kind, after);
        return after;
      }
      return this.#storage.put(kind, after, next);
    }
    throw modified(kind, key);
  }

  async admit(asked: Asked): Promise<void> {
    const { kind } = asked;
    // As in a real API server, admission configurations are not subject to admission.
    if (kind.apiVersion.startsWith('admissionregistration.k8s.io/')) return;
    const request = { ...asked, user: this.#user, namespaceLabels: this.#namespaceLabels(asked) };
    await admit(this.#storage.list(KIND.ValidatingWebhookConfiguration), request, {
      onWarning: (warning) => this.#listener.onWarning(warning, this.#user),
      onFailedOpen: (webhook, reason) => this.#listener.onFailedOpen(webhook, reason),
    });
  }

  #namespaceLabels({ kind, key, object, oldObject }: Asked): Record<string, string> | undefined {
    if (kind.kind === 'Namespace') return ((object ?? oldObject) as AnyObject).metadata.labels ?? {};
    if (!key.namespace) return undefined;
    return this.#storage.get(KIND.Namespace, { name: key.namespace })?.metadata.labels ?? {};
  }

  #requireNamespace(kind: ResourceName, namespace: string | undefined): void {
    if (!namespace) throw new KubesentryError('KUBE_REFUSED', `${kind.kind} needs metadata.namespace.`);
    this.existing(KIND.Namespace, { name: namespace });
  }

  #refuseExisting(kind: ResourceName, key: ObjectKey): void {
    if (!this.#storage.get(kind, key)) return;
    throw new KubesentryError('KUBE_CONFLICT', `${kind.plural} "${key.name}" already exists`);
  }
}

/** Kinds whose status is a subresource: all that we know but the plain data ones. */
export function hasStatus({ kind }: ResourceName): boolean {
  return ![
    'Secret',
    'ConfigMap',
    'ServiceAccount',
    'Lease',
    'Event',
    'ValidatingWebhookConfiguration',
  ].includes(kind);
}

/** What an update makes of an object: the server's own fields stay, and status or everything else is not touched. */
function successor(
  kind: ResourceName,
  before: AnyObject,
  wanted: AnyObject,
  subresource: WriteOptions['subresource'],
): AnyObject {
  const after = structuredClone(subresource === 'status' ? { ...before, status: wanted.status } : wanted);
  if (subresource !== 'status' && hasStatus(kind)) after.status = structuredClone(before.status);
  if (after.status === undefined) delete after.status;
  const { uid, resourceVersion, creationTimestamp, deletionTimestamp, generation = 1 } = before.metadata;
  const changed = subresource !== 'status' && !isDeepStrictEqual(after.spec, before.spec);
  Object.assign(after.metadata, {
    uid,
    resourceVersion,
    creationTimestamp,
    generation: changed ? generation + 1 : generation,
    ...(deletionTimestamp && { deletionTimestamp }),
  });
  return after;
}

function modified(kind: ResourceName, key: ObjectKey): KubesentryError {
  return new KubesentryError(
    'KUBE_CONFLICT',
    `${kind.plural} "${key.name}": the object has been modified; read it again and repeat the change`,
  );
}
