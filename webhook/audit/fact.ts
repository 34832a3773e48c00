import type { Fingerprint } from '../../api/fingerprint.ts';

/** Who sent a request, normalised; as authenticated, not as impersonated (that is `impersonates`). */
export interface Actor {
  user: string;
  groups: readonly string[];
  /** User that the request was sent in the name of; the acting user stays in `user`. */
  impersonates?: string;
  /** Claims of a bound service-account token (KEP-1205 and KEP-4193), as the API server wrote them in `user.extra`. */
  podName?: string;
  podUid?: string;
  nodeName?: string;
  /** `authentication.kubernetes.io/credential-id`: the JTI of the token or the hash of the certificate. */
  credential?: string;
}

/** Object that a request was about. */
export interface Target {
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  /** Empty for collections, and for generated names before the response. */
  name: string;
  /** Empty where the event does not carry it. */
  uid: string;
  /** Controller, as Kind/name; from ownerReferences of the request or response object. */
  owner?: string;
  ownerUid?: string;
}

/**
 * What an audit event says that matters for finding an attacker: never the event itself, never the contents of a
 * Secret. Source: k8s.io/apiserver/pkg/apis/audit/v1.
 */
export interface Fact {
  /** auditID: one request has one; the stages of it fold into one fact. */
  id: string;
  /** requestReceivedTimestamp in milliseconds since 1970. */
  time: number;
  actor: Actor;
  /** First of sourceIPs, which is the client's unless a proxy lies; empty when absent. */
  address: string;
  userAgent: string;
  verb: string;
  target: Target;
  /** HTTP status of the response; 0 when it is not known. */
  code: number;
  /** `authorization.k8s.io/decision`. */
  decision: 'allow' | 'forbid' | '';
  /** argv of an exec or attach, from the query of requestURI. */
  command: readonly string[];
  /** Container images of a workload, as written. */
  images: readonly string[];
  /** Facets of a workload, as detection/ makes them; empty where the event carries no object. */
  fingerprint: Fingerprint;
  /**
   * Further plain facts of single kinds of request: `role` (granted ClusterRole), `subjects` of a binding, `serviceAccount`
   * of a pod template, `failedOpen` (names of our webhooks in failed-open annotations), `labels` (changed label keys of a
   * namespace). Bounded: at most 16 keys, values of 1024 characters.
   */
  details: Readonly<Record<string, string>>;
}
