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
import type { Transport } from './transport.ts';
import { jsonLines } from './watch-lines.ts';

interface RawList<T> {
  items?: T[] | null;
  metadata: { resourceVersion: string; continue?: string };
}

/** metav1.APIResourceList; subresources have a name with a slash. */
interface ResourceList {
  resources?: { name: string; kind: string; namespaced: boolean }[];
}

/**
 * A watch that outlives its end by this much is dead: the connection was cut and nobody said so. Silence before that means
 * nothing: a real API server sends no bookmarks of a kind that has not changed since it started.
 */
const GRACE_MS = 30_000;

/** A line of a watch, of which nothing is known yet. */
interface RawEvent<T> {
  type?: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object?: T & { code?: number; message?: string };
}

/** An API server over HTTP. */
export class HttpCluster implements Cluster {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get<T extends Stored>(kind: Kind<T>, key: ObjectKey): Promise<T | undefined> {
    try {
      return await this.#transport.send<T>({ method: 'GET', path: pathOf(kind, key) });
    } catch (error) {
      if (error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async list<T extends Stored>(kind: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
    const { namespace, ...query } = options;
    const raw = await this.#transport.send<RawList<T>>({
      method: 'GET',
      path: collectionOf(kind, namespace),
      query,
    });
    return {
      // Items of a list come without their kind.
      items: (raw.items ?? []).map((item) => ({ ...item, apiVersion: kind.apiVersion, kind: kind.kind })),
      resourceVersion: raw.metadata.resourceVersion,
      ...(raw.metadata.continue && { continue: raw.metadata.continue }),
    };
  }

  async *watch<T extends Stored>(kind: Kind<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { namespace, signal, ...query } = options;
    try {
      const stream = await this.#transport.stream(
        {
          method: 'GET',
          path: collectionOf(kind, namespace),
          query: { ...query, watch: true, allowWatchBookmarks: true },
        },
        query.timeoutSeconds ? query.timeoutSeconds * 1000 + GRACE_MS : 0,
        signal,
      );
      for await (const line of jsonLines(stream)) yield toEvent(line as RawEvent<T> | null);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof KubesentryError) throw error;
      throw new KubesentryError('KUBE_UNREACHABLE', `The watch of ${kind.plural} broke off.`, {
        cause: error,
      });
    }
  }

  create<T extends Stored>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = collectionOf(kind, object.metadata.namespace);
    return this.#transport.send({ method: 'POST', path, query: writeQuery(options), body: object });
  }

  async update<T extends Stored>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(kind, object.metadata, options.subresource);
    return this.#transport.send({ method: 'PUT', path, query: writeQuery(options), body: object });
  }

  async apply<T extends Stored>(kind: Kind<T>, object: T, options: ApplyOptions = {}): Promise<T> {
    return this.#transport.send({
      method: 'PATCH',
      path: pathOf(kind, object.metadata, options.subresource),
      query: { ...writeQuery(options), fieldManager: options.fieldManager ?? FIELD_MANAGER, force: true },
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
  }

  async patch<T extends Stored>(
    kind: Kind<T>,
    key: ObjectKey,
    patch: object,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#transport.send({
      method: 'PATCH',
      path: pathOf(kind, key, options.subresource),
      query: writeQuery(options),
      body: patch,
      contentType: 'application/merge-patch+json',
    });
  }

  async delete<T extends Stored>(kind: Kind<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagation, gracePeriodSeconds } = options;
    const isConditional = uid !== undefined || resourceVersion !== undefined;
    try {
      await this.#transport.send({
        method: 'DELETE',
        path: pathOf(kind, key),
        body: {
          ...(isConditional && { preconditions: { uid, resourceVersion } }),
          ...(propagation && { propagationPolicy: propagation }),
          ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
        },
      });
    } catch (error) {
      if (!(error instanceof KubesentryError) || error.code !== 'KUBE_NOT_FOUND') throw error;
    }
  }

  async kindOf(apiVersion: string, kind: string): Promise<Kind | undefined> {
    try {
      const { resources = [] } = await this.#transport.send<ResourceList>({
        method: 'GET',
        path: rootOf(apiVersion),
      });
      const found = resources.find((each) => each.kind === kind && !each.name.includes('/'));
      return found && { apiVersion, kind, plural: found.name, namespaced: found.namespaced };
    } catch (error) {
      if (error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async createToken(serviceAccount: ObjectKey, options: TokenOptions): Promise<string> {
    const { audience, expirationSeconds, pod } = options;
    const answer = await this.#transport.send<{ status: { token: string } }>({
      method: 'POST',
      path: `${pathOf(KIND.ServiceAccount, serviceAccount)}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: [audience],
          expirationSeconds,
          ...(pod && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod } }),
        },
      },
    });
    return answer.status.token;
  }

  async tokenIssuer(): Promise<{ issuer: string; keys: JSONWebKeySet }> {
    const [{ issuer }, keys] = await Promise.all([
      this.#transport.send<{ issuer: string }>({ method: 'GET', path: '/.well-known/openid-configuration' }),
      this.#transport.send<JSONWebKeySet>({ method: 'GET', path: '/openid/v1/jwks' }),
    ]);
    return { issuer, keys };
  }

  /** Such as v1.36.3. */
  serverVersion(): Promise<{ gitVersion: string }> {
    return this.#transport.send({ method: 'GET', path: '/version' });
  }

  /** Whether the API server knows that resource in that group and version. */
  async serves(apiVersion: string, plural: string): Promise<boolean> {
    try {
      const path = `/apis/${apiVersion}`;
      const { resources } = await this.#transport.send<{ resources: { name: string }[] }>({
        method: 'GET',
        path,
      });
      return resources.some(({ name }) => name === plural);
    } catch (error) {
      if (error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND') return false;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function collectionOf(
  { apiVersion, plural, namespaced }: ResourceName,
  namespace: string | undefined,
): string {
  const root = rootOf(apiVersion);
  return namespaced && namespace
    ? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`
    : `${root}/${plural}`;
}

/**
 * Raises KUBE_NOT_FOUND for what no object is called: without a name a path means all objects of the kind, and a URL goes
 * up by dots.
 */
function pathOf(
  kind: ResourceName,
  { namespace, name = '' }: { namespace?: string | undefined; name?: string },
  subresource?: string,
): string {
  if (name === '' || name === '.' || name === '..') {
    throw new KubesentryError('KUBE_NOT_FOUND', `No object of ${kind.plural} is called "${name}".`);
  }
  const path = `${collectionOf(kind, namespace)}/${encodeURIComponent(name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

function writeQuery({ dryRun }: WriteOptions) {
  return { dryRun: dryRun ? 'All' : undefined, fieldManager: FIELD_MANAGER };
}

function toEvent<T extends Stored>(line: RawEvent<T> | null): WatchEvent<T> {
  const { type, object } = line ?? {};
  if (type === 'ERROR') {
    const isGone = object?.code === 410;
    const message = object?.message ?? 'The watch failed.';
    throw new KubesentryError(isGone ? 'KUBE_CONFLICT' : 'KUBE_UNREACHABLE', message);
  }
  const version = object?.metadata?.resourceVersion;
  if (!type || !object || !version) {
    throw new KubesentryError('KUBE_UNREACHABLE', 'A line of the watch is no event.');
  }
  return type === 'BOOKMARK' ? { type, resourceVersion: version } : { type, object };
}
