import type { JSONWebKeySet } from 'jose';
import type { ObjectMeta } from '../api/object.ts';
import type { Kind } from './kind.ts';

/** The least that an object must have to be stored. */
export interface Stored {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface ObjectKey {
  name: string;
  namespace?: string | undefined;
}

export interface ListOptions {
  namespace?: string | undefined;
  /** Kubernetes label selector syntax, such as `app=x,tier in (a,b),!legacy`. */
  labelSelector?: string | undefined;
  /** Equality on metadata.name and metadata.namespace; of pods also on spec.nodeName and status.phase. */
  fieldSelector?: string | undefined;
  /** Page size; `continue` in the answer names the next page. All pages show the moment of the first one. */
  limit?: number | undefined;
  continue?: string | undefined;
}

export interface List<T> {
  items: T[];
  resourceVersion: string;
  continue?: string | undefined;
}

export interface WatchOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Events after this version. */
  resourceVersion: string;
  /** The server ends the watch after this many seconds. */
  timeoutSeconds?: number | undefined;
  signal: AbortSignal;
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Nothing changed up to this version. */
  | { type: 'BOOKMARK'; resourceVersion: string };

export interface WriteOptions {
  dryRun?: boolean | undefined;
  /** Write only this subresource. */
  subresource?: 'status' | undefined;
}

export interface ApplyOptions extends WriteOptions {
  /** Field manager; ours by default. */
  fieldManager?: string | undefined;
}

export interface DeleteOptions {
  /** Delete only the object that has this uid. */
  uid?: string | undefined;
  /** Delete it only while it has this version. */
  resourceVersion?: string | undefined;
  propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  gracePeriodSeconds?: number | undefined;
}

export interface TokenOptions {
  audience: string;
  expirationSeconds: number;
  /** Binds the token to a pod, whose node then becomes a claim. */
  pod?: { name: string; uid: string } | undefined;
}

/**
 * A Kubernetes API server, as far as Kubesentry needs one. Two adapters have this face: `kube/http` and
 * `kube/memory`; one contract test runs against both.
 *
 * Errors: KubesentryError with KUBE_NOT_FOUND, KUBE_CONFLICT, KUBE_REFUSED (the server understood and said no,
 * including an admission webhook; the message is the server's) or KUBE_UNREACHABLE. A watch whose version is gone
 * throws KUBE_CONFLICT from its iterator: list again.
 */
export interface Cluster {
  /** Undefined when there is none. */
  get<T extends Stored>(kind: Kind<T>, key: ObjectKey): Promise<T | undefined>;
  list<T extends Stored>(kind: Kind<T>, options?: ListOptions): Promise<List<T>>;
  /** Ends when the server ends it or the signal aborts. */
  watch<T extends Stored>(kind: Kind<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends Stored>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  /**
   * Replaces the object; its resourceVersion, when given, must be the current one. Our own kinds, Lease and webhook
   * configurations need it.
   */
  update<T extends Stored>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Server-side apply with force: creates what is absent, takes over the fields that are given. */
  apply<T extends Stored>(kind: Kind<T>, object: T, options?: ApplyOptions): Promise<T>;
  /** JSON merge patch (RFC 7386). */
  patch<T extends Stored>(kind: Kind<T>, key: ObjectKey, patch: object, options?: WriteOptions): Promise<T>;
  /** Deleting what is not there is not an error. */
  delete<T extends Stored>(kind: Kind<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  /** What the API server calls the objects of a kind that others have brought along; undefined when there is none. */
  kindOf(apiVersion: string, kind: string): Promise<Kind | undefined>;
  /** TokenRequest for a service account. */
  createToken(serviceAccount: ObjectKey, options: TokenOptions): Promise<string>;
  /** Issuer of service-account tokens and the keys that verify them (OpenID discovery of the API server). */
  tokenIssuer(): Promise<{ issuer: string; keys: JSONWebKeySet }>;
}
