import type { JSONWebKeySet } from 'jose';
import { KubesentryError } from '../../api/errors.ts';
import { FIELD_MANAGER, GROUP } from '../../api/names.ts';
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
import { groupVersion, KIND, type Kind, type ResourceName } from '../kind.ts';
import { matchesSelector, parseFieldSelector, parseLabelSelector } from '../selector.ts';
import type { User } from './admission-request.ts';
import { applyFields, ownersAfterUpdate } from './field-owners.ts';
import { discard } from './garbage.ts';
import { mergePatch } from './merge-patch.ts';
import { Pages } from './pages.ts';
import { type AnyObject, Storage } from './storage.ts';
import { ISSUER, SHORTEST_TOKEN_S, TokenSigner } from './tokens.ts';
import { hasStatus, Writer, type WriterListener } from './writer.ts';

const ADMIN: User = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** What can be selected by. A real API server knows a few more, for kinds that we do not select so. */
const FIELDS = ['metadata.name', 'metadata.namespace'];
const POD_FIELDS = [...FIELDS, 'spec.nodeName', 'status.phase'];

/** Groups that take no update without a version (AllowUnconditionalUpdate of their strategies). */
const VERSIONED_ONLY: ReadonlySet<string> = new Set([
  GROUP,
  'coordination.k8s.io',
  'admissionregistration.k8s.io',
]);

export interface MemoryClusterOptions {
  /** Hears what webhooks tell the user beside yes and no. */
  onWarning?: (warning: string, user: User) => void;
  /** Hears of webhooks that could not be asked and whose failurePolicy is Ignore. */
  onFailedOpen?: (webhook: string, reason: string) => void;
  /** How many changes a watch can go back. */
  history?: number;
}

/** What every face of one in-memory cluster shares. */
interface Core extends WriterListener {
  storage: Storage;
  pages: Pages;
  tokens: TokenSigner;
}

/**
 * A cluster without processes: objects, watches, server-side apply, owner references, service-account tokens, and
 * admission by real calls to the webhooks that are registered in it. There is no RBAC, no schema and no CEL.
 * Objects that it hands out are frozen.
 */
export class MemoryCluster implements Cluster {
  readonly #core: Core;
  readonly #writer: Writer;

  constructor(options: MemoryClusterOptions = {}, core?: Core, user: User = ADMIN) {
    this.#core = core ?? {
      storage: new Storage(options.history),
      pages: new Pages(),
      tokens: new TokenSigner(),
      onWarning: options.onWarning ?? (() => {}),
      onFailedOpen: options.onFailedOpen ?? (() => {}),
    };
    this.#writer = new Writer(this.#core.storage, user, this.#core);
  }

  /** The same cluster, asked by someone else: admission sees this user. */
  as(user: User): MemoryCluster {
    return new MemoryCluster({}, this.#core, user);
  }

  async get<T extends Stored>(kind: Kind<T>, key: ObjectKey): Promise<T | undefined> {
    return this.#core.storage.get(kind, key) as T | undefined;
  }

  async list<T extends Stored>(kind: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
    const { storage, pages } = this.#core;
    const page = options.continue
      ? pages.next(options.continue, options.limit)
      : pages.first(storage.list(kind).filter(selection(kind, options)), storage.version, options.limit);
    return page as unknown as List<T>;
  }

  async *watch<T extends Stored>(kind: Kind<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { resourceVersion: version, timeoutSeconds, signal } = options;
    const events = this.#core.storage.watch(kind, {
      version,
      matches: selection(kind, options),
      timeoutMs: timeoutSeconds && timeoutSeconds * 1000,
      signal,
    });
    yield* events as AsyncGenerator<WatchEvent<T>>;
  }

  async create<T extends Stored>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const made = await this.#writer.create(kind, ownCopy(object), options, (fresh) =>
      ownersAfterUpdate(new Map(), {}, fresh),
    );
    return made as unknown as T;
  }

  async update<T extends Stored>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const wanted = ownCopy(object);
    const key = object.metadata as ObjectKey;
    if (!wanted.metadata.resourceVersion && VERSIONED_ONLY.has(groupVersion(kind).group)) {
      throw new KubesentryError('KUBE_REFUSED', 'metadata.resourceVersion: must be specified for an update');
    }
    return (await this.#writer.change(kind, key, options, () => ({ wanted }))) as unknown as T;
  }

  async apply<T extends Stored>(kind: Kind<T>, object: T, options: ApplyOptions = {}): Promise<T> {
    return (await this.#apply(kind, ownCopy(object), options)) as unknown as T;
  }

  async patch<T extends Stored>(
    kind: Kind<T>,
    key: ObjectKey,
    patch: object,
    options: WriteOptions = {},
  ): Promise<T> {
    const change = (before: AnyObject) => ({ wanted: mergePatch(before, patch) as AnyObject });
    return (await this.#writer.change(kind, key, options, change)) as unknown as T;
  }

  async delete<T extends Stored>(kind: Kind<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const object = this.#toDelete(kind, key, options);
    if (!object) return;
    await this.#writer.admit({ operation: 'DELETE', kind, key, oldObject: object, dryRun: false });
    // It may have changed or gone while admission was asked.
    const current = this.#toDelete(kind, key, options);
    if (current) discard(this.#core.storage, kind, current, options.propagation);
  }

  /** A CONNECT request such as exec: `options` is the body that admission sees. Resolves when admission agrees. */
  async connect(
    key: ObjectKey,
    subresource: 'exec' | 'attach' | 'portforward',
    options: object,
  ): Promise<void> {
    const kind = KIND.Pod;
    this.#writer.existing(kind, key);
    await this.#writer.admit({
      operation: 'CONNECT',
      kind,
      key,
      subresource,
      object: options,
      dryRun: false,
    });
  }

  async kindOf(apiVersion: string, kind: string): Promise<Kind | undefined> {
    const known = [...Object.values(KIND), ...this.#core.storage.kinds()] as Kind[];
    return known.find((each) => each.apiVersion === apiVersion && each.kind === kind);
  }

  async createToken(serviceAccount: ObjectKey, options: TokenOptions): Promise<string> {
    const account = this.#writer.existing(KIND.ServiceAccount, serviceAccount);
    const { namespace = '' } = serviceAccount;
    if (options.expirationSeconds < SHORTEST_TOKEN_S) {
      throw new KubesentryError('KUBE_REFUSED', 'A token may not expire in less than 10 minutes.');
    }
    const pod = options.pod && this.#writer.existing(KIND.Pod, { name: options.pod.name, namespace });
    if (pod && pod.metadata.uid !== options.pod?.uid) {
      throw new KubesentryError('KUBE_CONFLICT', `pods "${options.pod?.name}" has another uid`);
    }
    const nodeName = (pod?.spec as { nodeName?: string } | undefined)?.nodeName;
    const node = nodeName === undefined ? undefined : this.#core.storage.get(KIND.Node, { name: nodeName });
    return this.#core.tokens.sign(
      { namespace, serviceAccount: named(account), pod: pod && named(pod), node: node && named(node) },
      options.audience,
      options.expirationSeconds,
    );
  }

  async tokenIssuer(): Promise<{ issuer: string; keys: JSONWebKeySet }> {
    return { issuer: ISSUER, keys: await this.#core.tokens.keys() };
  }

  async #apply(kind: ResourceName, applied: AnyObject, options: ApplyOptions): Promise<AnyObject> {
    const { fieldManager = FIELD_MANAGER, subresource = '' } = options;
    const { storage } = this.#core;
    const key = applied.metadata as ObjectKey;
    // What a manager applies to the status is apart from what it applies to the rest.
    const manager = `${fieldManager}/${subresource}`;
    if (!subresource && hasStatus(kind)) delete applied.status;
    if (!subresource && !storage.get(kind, key)) {
      const ownersOf = (made: AnyObject) => applyFields(made, new Map(), manager, applied).owners;
      try {
        return await this.#writer.create(kind, structuredClone(applied), options, ownersOf);
      } catch (error) {
        // Made by somebody else while admission was asked: what follows applies to that.
        if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
      }
    }
    const configuration = subresource ? { status: applied.status } : applied;
    return this.#writer.change(kind, key, options, (before) => {
      const { object, owners } = applyFields(before, storage.ownersOf(before), manager, configuration);
      return { wanted: object as AnyObject, owners };
    });
  }

  #toDelete(kind: ResourceName, key: ObjectKey, options: DeleteOptions): AnyObject | undefined {
    const object = this.#core.storage.get(kind, key);
    for (const field of ['uid', 'resourceVersion'] as const) {
      if (object && options[field] !== undefined && options[field] !== object.metadata[field]) {
        throw new KubesentryError('KUBE_CONFLICT', `${kind.plural} "${key.name}" has another ${field}`);
      }
    }
    return object;
  }
}

const ownCopy = (object: Stored): AnyObject => structuredClone(object) as AnyObject;

const named = ({ metadata }: AnyObject) => ({ name: metadata.name as string, uid: metadata.uid as string });

function selection(
  kind: ResourceName,
  { namespace, labelSelector, fieldSelector }: ListOptions,
): (object: AnyObject) => boolean {
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector, kind.kind === 'Pod' ? POD_FIELDS : FIELDS);
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    matchesSelector(labels, object.metadata.labels) &&
    fields(object);
}
