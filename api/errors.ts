/** Whose mistake it is: the caller's, ours, or the surroundings' (API server, kernel, disk, network). */
export type Fault = 'user' | 'internal' | 'environment';

interface ErrorKind {
  fault: Fault;
  /** Status where the error reaches an HTTP client. */
  status: number;
  /** What to do about it. */
  remedy: string;
}

/** Every error that Kubesentry can raise. A code, once published, keeps its meaning. */
export const ERRORS = {
  BODY_NOT_JSON: {
    fault: 'user',
    status: 400,
    remedy: 'Send one JSON document with Content-Type application/json.',
  },
  BODY_TOO_LARGE: { fault: 'user', status: 413, remedy: 'Send less in one request.' },
  BODY_TOO_DEEP: { fault: 'user', status: 400, remedy: 'Send JSON that nests at most 100 levels.' },
  BODY_INVALID: { fault: 'user', status: 422, remedy: 'Send the shape that the message names.' },
  TOKEN_MISSING: {
    fault: 'user',
    status: 401,
    remedy: 'Send the projected service-account token as "Authorization: Bearer TOKEN".',
  },
  TOKEN_INVALID: {
    fault: 'user',
    status: 401,
    remedy: 'Use an unexpired token of this cluster with audience "kubesentry".',
  },
  NOT_THE_AGENT: { fault: 'user', status: 403, remedy: 'Report as the service account of the node agent.' },
  NOT_YOUR_NODE: {
    fault: 'user',
    status: 403,
    remedy: 'An agent may report only what happened on the node that its token names.',
  },
  NOT_READY: { fault: 'environment', status: 503, remedy: 'Try again when /readyz answers 200.' },
  OVERLOADED: { fault: 'environment', status: 429, remedy: 'Try again after the time in Retry-After.' },
  PATH_UNKNOWN: {
    fault: 'user',
    status: 404,
    remedy: 'POST to /validate, /audit or /v1/detections; the probes are on the probe port.',
  },
  INPUT_UNREADABLE: { fault: 'user', status: 400, remedy: 'Name a file, a folder or "-" that can be read.' },
  USAGE: { fault: 'user', status: 400, remedy: 'See --help.' },
  INDICATORS_INVALID: { fault: 'user', status: 422, remedy: 'Correct the row that the message names.' },
  POLICY_INVALID: { fault: 'user', status: 422, remedy: 'Correct the field that the message names.' },
  KUBE_UNREACHABLE: {
    fault: 'environment',
    status: 503,
    remedy: 'Check that the API server answers and that the kubeconfig or service account is right.',
  },
  KUBE_REFUSED: {
    fault: 'environment',
    status: 502,
    remedy:
      'Check the RBAC rules of whoever asked; manifests/ has those that Kubesentry and its people need.',
  },
  BREAK_GLASS_NEEDED: {
    fault: 'user',
    status: 403,
    remedy:
      'Repeat it with --as=YOU --as-group=kubesentry:break-glass, or ask somebody who is a member of that group.',
  },
  NOT_INSTALLED: {
    fault: 'environment',
    status: 404,
    remedy:
      'Look at what is there with `kubesentry status`; `kubesentry install --check` says whether it can be installed.',
  },
  KUBE_CONFLICT: {
    fault: 'environment',
    status: 409,
    remedy: 'Read the object again and repeat the change.',
  },
  KUBE_NOT_FOUND: { fault: 'user', status: 404, remedy: 'Check the name and the namespace.' },
  KERNEL_UNSUPPORTED: {
    fault: 'environment',
    status: 500,
    remedy: 'Run `kubesentry agent --check`: it names what this kernel lacks.',
  },
  PRIVILEGE_MISSING: {
    fault: 'environment',
    status: 500,
    remedy: 'Run as root or grant the capability that the message names.',
  },
  SPOOL_UNUSABLE: { fault: 'environment', status: 500, remedy: 'Give the agent a writable --spool folder.' },
  STORE_UNUSABLE: {
    fault: 'environment',
    status: 503,
    remedy: 'Name a writable file or a reachable PostgreSQL database with --audit-db.',
  },
  AUDIT_UNAUTHENTICATED: {
    fault: 'user',
    status: 401,
    remedy:
      'Send the token of --audit-token-file as "Authorization: Bearer TOKEN"; see kubesentry audit kubeconfig.',
  },
  CERTIFICATE_INVALID: {
    fault: 'environment',
    status: 500,
    remedy: 'Delete the certificate Secret; the leader makes a new one.',
  },
  REPORT_UNSIGNED: {
    fault: 'user',
    status: 422,
    remedy: 'Give a file that `kubectl kubesentry report INCIDENT -o json` wrote once the report was signed.',
  },
  REPORT_FORGED: {
    fault: 'user',
    status: 422,
    remedy:
      'Do not rely on the file: ask whoever gave it to you, or write the report again from the cluster.',
  },
  INTERNAL: {
    fault: 'internal',
    status: 500,
    remedy: 'Report this with the log line that carries the same id.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * The one error class. `message` is a plain sentence that says what happened and why;
 * `remedy` says what to do. The cause, if any, is for the log and never for the client.
 */
export class KubesentryError extends Error {
  override readonly name = 'KubesentryError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get fault(): Fault {
    return ERRORS[this.code].fault;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get remedy(): string {
    return ERRORS[this.code].remedy;
  }
}
