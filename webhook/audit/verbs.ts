/** Verbs of requests that change nothing (Kubernetes API concepts, "Verbs"). */
export const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head']);

/** Verbs of requests that change an object. */
export const WRITES: ReadonlySet<string> = new Set([
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
]);

/** Subresources that lead into a pod or a node; over WebSocket they are a GET (KEP-4006). */
export const ENTRIES: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);
