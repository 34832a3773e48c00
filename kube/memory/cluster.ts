import { randomBytes, randomUUID } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import { KubesentryError } from '../../api/errors.ts';
import { FIELD_MANAGER } from '../../api/names.ts';
import type {
  ApplyOptions,
  Cluster,
  DeleteOptions,
  List,
  ListOptions,
  ObjectKey,
  Stored,
  TokenOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../cluster.ts';
import { KIND, type Kind, type ResourceName } from '../kind.ts';
import { parseFieldSelector, parseLabelSelector } from '../selector.ts';
import { admit, type Operation, type User } from './admission.ts';
import { applyConfiguration, mergePatch } from './merge.ts';
import { type AnyObject, Storage } from './storage.ts';
import { ISSUER, TokenSigner } from './tokens.ts';

const ADMIN: User = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** What every face of one in-memory cluster shares. */
interface Core {
  storage: Storage;
  tokens: TokenSigner;
  /** What each manager applied last, by kind, key and manager. */
  applied: Map<string, Record<string, unknown>>;
  onWarning: (warning: string, user: User) => void;
}

/**
 * A cluster without processes: objects, watches, server-side apply, owner references, service-account tokens, and
 * admission by real calls to the webhooks that are registered in it. There is no RBAC, no schema and no CEL.
 */
export class MemoryCluster implements Cluster {
  readonly #core: Core;
  readonly #user: User;

  constructor(
    options: { onWarning?: (warning: string, user: User) => void } = {},
    core?: Core,
    user: User = ADMIN,
  ) {
    this.#core = core ?? {
      storage: new Storage(),
      tokens: new TokenSigner(),
      applied: new Map(),
      onWarning: options.onWarning ?? (() => {}),
    };
    this.#user = user;
  }

  /** The same cluster, asked by someone else: admission sees this user. */
  as(user: User): MemoryCluster {
    return new MemoryCluster({}, this.#core, user);
  }

  async get<T extends Stored>(kind: Kind<T>, key: ObjectKey): Promise<T | undefined> {
    return this.#core.storage.get(kind, key) as T | undefined;
  }

  async list<T extends Stored>(kind: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
    const { storage } = this.#core;
    const matching = storage.list(kind).filter(selection(options));
    const start = options.continue ? Number(options.continue) : 0;
    const end = options.limit ? start + options.limit : matching.length;
    return {
      items: matching.slice(start, end) as unknown as T[],
      resourceVersion: storage.version,
      ...(end < matching.length && { continue: String(end) }),
    };
  }

  async *watch<T extends Stored>(kind: Kind<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const signals = [options.signal];
    if (options.timeoutSeconds) signals.push(AbortSignal.timeout(options.timeoutSeconds * 1000));
    const signal = AbortSignal.any(signals);
    const events = this.#core.storage.watch(kind, options.resourceVersion, selection(options), signal);
    yield* events as AsyncGenerator<WatchEvent<T>>;
  }

  async create<T extends Stored>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const fresh = structuredClone(object) as unknown as AnyObject;
    const { metadata } = fresh;
    if (metadata.generateName) {
      metadata.name ??= `${metadata.generateName}${randomBytes(3).toString('hex').slice(1)}`;
    }
    if (!metadata.name)
      throw new KubesentryError('KUBE_REFUSED', `${kind.kind} needs metadata.name or generateName.`);
    if (kind.namespaced) this.#requireNamespace(kind, metadata.namespace);
    if (this.#core.storage.get(kind, metadata as ObjectKey)) {
      throw new KubesentryError('KUBE_CONFLICT', `${kind.plural} "${metadata.name}" already exists`);
    }
    // As the API server does, so that selectors can go by a name that nobody can change.
    if (kind.kind === 'Namespace')
      metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
    metadata.uid = randomUUID();
    metadata.creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    metadata.generation = 1;
    if (hasStatus(kind)) delete fresh.status;
    await this.#admit('CREATE', kind, fresh, undefined, options);
    return (options.dryRun ? fresh : this.#core.storage.put(kind, fresh)) as unknown as T;
  }

  async update<T extends Stored>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const before = this.#existing(kind, object.metadata as ObjectKey);
    return this.#replace(kind, before, object as unknown as AnyObject, options) as unknown as T;
  }

  async apply<T extends Stored>(kind: Kind<T>, object: T, options: ApplyOptions = {}): Promise<T> {
    const { fieldManager = FIELD_MANAGER, subresource, ...write } = options;
    const key = object.metadata as ObjectKey;
    const record = `${kind.kind}/${key.namespace ?? ''}/${key.name}/${fieldManager}/${subresource ?? ''}`;
    const before = this.#core.storage.get(kind, key);
    const previous = before && this.#core.applied.get(record);
    const configuration = structuredClone(object) as unknown as Record<string, unknown>;
    let result: T;
    if (before) {
      const merged = applyConfiguration(before, previous, configuration) as AnyObject;
      result = this.#replace(kind, before, merged, { ...write, subresource }) as unknown as T;
      result = await result;
    } else {
      if (subresource) throw notFound(kind, key);
      result = await this.create(kind, object, write);
    }
    if (!options.dryRun) this.#core.applied.set(record, configuration);
    return result;
  }

  async patch<T extends Stored>(
    kind: Kind<T>,
    key: ObjectKey,
    patch: object,
    options: WriteOptions = {},
  ): Promise<T> {
    const before = this.#existing(kind, key);
    return this.#replace(kind, before, mergePatch(before, patch) as AnyObject, options) as unknown as T;
  }

  async delete<T extends Stored>(kind: Kind<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const object = this.#core.storage.get(kind, key);
    if (!object) return;
    if (options.uid && options.uid !== object.metadata.uid) {
      throw new KubesentryError('KUBE_CONFLICT', `${kind.plural} "${key.name}" has another uid`);
    }
    await this.#admit('DELETE', kind, undefined, object, {});
    if (object.metadata.finalizers?.length) {
      if (object.metadata.deletionTimestamp) return;
      const marked = structuredClone(object);
      marked.metadata.deletionTimestamp = new Date().toISOString();
      this.#core.storage.put(kind, marked);
      return;
    }
    this.#remove(kind, object, options.propagation === 'Orphan');
  }

  /** A CONNECT request such as exec: `options` is the body that admission sees. Resolves when admission agrees. */
  async connect(
    key: ObjectKey,
    subresource: 'exec' | 'attach' | 'portforward',
    options: object,
  ): Promise<void> {
    this.#existing(KIND.Pod, key);
    await this.#ask({
      operation: 'CONNECT',
      kind: KIND.Pod,
      key,
      subresource,
      object: options,
      dryRun: false,
    });
  }

  async createToken(serviceAccount: ObjectKey, options: TokenOptions): Promise<string> {
    const account = this.#existing(KIND.ServiceAccount, serviceAccount);
    const namespace = serviceAccount.namespace ?? '';
    const pod = options.pod && this.#existing(KIND.Pod, { name: options.pod.name, namespace });
    const nodeName = (pod?.spec as { nodeName?: string } | undefined)?.nodeName;
    const node = nodeName === undefined ? undefined : this.#core.storage.get(KIND.Node, { name: nodeName });
    const named = ({ metadata }: AnyObject) => ({
      name: metadata.name as string,
      uid: metadata.uid as string,
    });
    return this.#core.tokens.sign(
      { namespace, serviceAccount: named(account), pod: pod && named(pod), node: node && named(node) },
      options.audience,
      options.expirationSeconds,
    );
  }

  async tokenIssuer(): Promise<{ issuer: string; keys: JSONWebKeySet }> {
    return { issuer: ISSUER, keys: await this.#core.tokens.keys() };
  }

  #existing(kind: ResourceName, key: ObjectKey): AnyObject {
    const object = this.#core.storage.get(kind, key);
    if (!object) throw notFound(kind, key);
    return object;
  }

  #requireNamespace(kind: ResourceName, namespace: string | undefined): void {
    if (!namespace) throw new KubesentryError('KUBE_REFUSED', `${kind.kind} needs metadata.namespace.`);
    if (!this.#core.storage.get(KIND.Namespace, { name: namespace })) {
      throw new KubesentryError('KUBE_NOT_FOUND', `namespaces "${namespace}" not found`);
    }
  }

  async #replace(
    kind: ResourceName,
    before: AnyObject,
    wanted: AnyObject,
    options: WriteOptions,
  ): Promise<AnyObject> {
    const version = wanted.metadata.resourceVersion;
    if (version !== undefined && version !== before.metadata.resourceVersion) {
      throw new KubesentryError(
        'KUBE_CONFLICT',
        `${kind.plural} "${before.metadata.name}": the object has been modified; read it again and repeat the change`,
      );
    }
    const after = structuredClone(
      options.subresource === 'status' ? { ...before, status: wanted.status } : wanted,
    );
    if (options.subresource !== 'status' && hasStatus(kind)) after.status = before.status;
    if (after.status === undefined) delete after.status;
    const { uid, creationTimestamp, generation = 1, deletionTimestamp } = before.metadata;
    Object.assign(after.metadata, {
      uid,
      creationTimestamp,
      generation,
      ...(deletionTimestamp && { deletionTimestamp }),
    });
    after.metadata.resourceVersion = before.metadata.resourceVersion as string;
    if (same(after, before)) return before;
    if (!same(after.spec, before.spec)) after.metadata.generation = generation + 1;
    await this.#admit('UPDATE', kind, after, before, options);
    if (options.dryRun) return after;
    // The check above was before admission took its time.
    if (
      this.#existing(kind, before.metadata as ObjectKey).metadata.resourceVersion !==
      before.metadata.resourceVersion
    ) {
      if (version === undefined)
        return this.#replace(kind, this.#existing(kind, before.metadata as ObjectKey), wanted, options);
      throw new KubesentryError(
        'KUBE_CONFLICT',
        `${kind.plural} "${before.metadata.name}" changed meanwhile`,
      );
    }
    if (deletionTimestamp && !after.metadata.finalizers?.length) {
      this.#remove(kind, after, false);
      return after;
    }
    return this.#core.storage.put(kind, after);
  }

  /** Removes an object and what it owns; namespaces take everything in them along. */
  #remove(kind: ResourceName, object: AnyObject, orphan: boolean): void {
    const { storage } = this.#core;
    storage.remove(kind, object);
    if (orphan) return;
    for (const dependent of [...storage.all()]) {
      const { ownerReferences = [], namespace } = dependent.metadata;
      const isOwned = ownerReferences.some(({ uid }) => uid === object.metadata.uid);
      const isInside = kind.kind === 'Namespace' && namespace === object.metadata.name;
      if (isOwned || isInside) {
        const own = Object.values<ResourceName>(KIND).find(
          (each) => each.kind === dependent.kind && each.apiVersion === dependent.apiVersion,
        );
        if (own && storage.get(own, dependent.metadata as ObjectKey)) this.#remove(own, dependent, false);
      }
    }
  }

  async #admit(
    operation: Operation,
    kind: ResourceName,
    object: AnyObject | undefined,
    oldObject: AnyObject | undefined,
    { dryRun = false, subresource }: WriteOptions,
  ): Promise<void> {
    const key = (object ?? oldObject)?.metadata as ObjectKey;
    await this.#ask({ operation, kind, key, subresource, object, oldObject, dryRun });
  }

  async #ask(request: {
    operation: Operation;
    kind: ResourceName;
    key: ObjectKey;
    subresource?: string | undefined;
    object?: object | undefined;
    oldObject?: object | undefined;
    dryRun: boolean;
  }): Promise<void> {
    const { kind, key, object, oldObject } = request;
    // As in a real API server, admission configurations are not subject to admission.
    if (kind.apiVersion.startsWith('admissionregistration.k8s.io/')) return;
    const namespaceLabels =
      kind.kind === 'Namespace'
        ? (((object ?? oldObject) as AnyObject).metadata.labels ?? {})
        : key.namespace
          ? (this.#core.storage.get(KIND.Namespace, { name: key.namespace })?.metadata.labels ?? {})
          : undefined;
    const configurations = this.#core.storage.list(KIND.ValidatingWebhookConfiguration);
    const warnings = await admit(configurations, { ...request, user: this.#user, namespaceLabels });
    for (const warning of warnings) this.#core.onWarning(warning, this.#user);
  }
}

/** Kinds whose status is a subresource: all that we know but the plain data ones. */
function hasStatus({ kind }: ResourceName): boolean {
  return ![
    'Secret',
    'ConfigMap',
    'ServiceAccount',
    'Lease',
    'Event',
    'ValidatingWebhookConfiguration',
  ].includes(kind);
}

function notFound(kind: ResourceName, key: ObjectKey): KubesentryError {
  return new KubesentryError('KUBE_NOT_FOUND', `${kind.plural} "${key.name}" not found`);
}

function selection({ namespace, labelSelector, fieldSelector }: ListOptions): (object: AnyObject) => boolean {
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector);
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    labels(object.metadata.labels) &&
    fields(object);
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
