import { isRecord, type JsonRecord, listOf, textOf } from '../../detection/shape.ts';

/** Envelopes within envelopes are opened so deep. */
const DEPTH = 4;

/**
 * The audit events in what a log service exports, in whatever shape it wraps them; empty when there are none.
 * - `EventList`, or one event: the API server's own log.
 * - `{message}`, `{logEvents: [{message}]}`, `{events: [{message}]}`: EKS by CloudWatch.
 * - `{properties: {log}}`, `{records: [...]}`: AKS by diagnostic settings.
 * - `{protoPayload}`: GKE by Cloud Logging, translated.
 */
export function eventsInEnvelope(value: unknown, depth = 0): unknown[] {
  if (depth > DEPTH) return [];
  const open = (inner: unknown) => eventsInEnvelope(inner, depth + 1);
  if (typeof value === 'string') {
    const inner = parse(value);
    return typeof inner === 'object' ? open(inner) : [];
  }
  if (Array.isArray(value)) return value.flatMap(open);
  if (!isRecord(value)) return [];
  if (value.kind === 'EventList') return [...listOf(value.items)];
  if (value.auditID !== undefined) return [value];
  if (isRecord(value.protoPayload)) return [fromGke(value, value.protoPayload)];
  if (value.message !== undefined) return open(value.message);
  if (value.properties !== undefined) {
    const properties = typeof value.properties === 'string' ? parse(value.properties) : value.properties;
    return isRecord(properties) ? open(properties.log) : [];
  }
  return open(value.logEvents ?? value.events ?? value.records ?? []);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** google.rpc.Code to HTTP status, as google/rpc/code.proto maps them. */
const HTTP: Record<number, number> = { 0: 200, 3: 400, 5: 404, 6: 409, 7: 403, 9: 400, 10: 409, 16: 401 };

/**
 * A LogEntry with google.cloud.audit.AuditLog as an Event. The auditID is `operation.id`; addresses and the command
 * of an exec are in `requestMetadata` and not everywhere.
 */
function fromGke(entry: JsonRecord, payload: JsonRecord): JsonRecord {
  const operation = isRecord(entry.operation) ? entry.operation : {};
  const caller = isRecord(payload.requestMetadata) ? payload.requestMetadata : {};
  const identity = isRecord(payload.authenticationInfo) ? payload.authenticationInfo : {};
  const status = isRecord(payload.status) ? payload.status : {};
  const code = typeof status.code === 'number' ? (HTTP[status.code] ?? 500) : 200;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    auditID: textOf(operation.id) || textOf(entry.insertId),
    stage: 'ResponseComplete',
    verb: textOf(payload.methodName).split('.').at(-1) ?? '',
    user: { username: textOf(identity.principalEmail) },
    sourceIPs: [textOf(caller.callerIp)],
    userAgent: textOf(caller.callerSuppliedUserAgent),
    objectRef: referenceOf(textOf(payload.resourceName)),
    responseStatus: { code },
    requestObject: payload.request,
    responseObject: payload.response,
    requestReceivedTimestamp: textOf(entry.timestamp),
    annotations: isRecord(entry.labels) ? entry.labels : {},
  };
}

/** Such as `apps/v1/namespaces/shop/deployments/web/scale`; the core group is called `core`. */
function referenceOf(path: string): JsonRecord {
  const [group = '', apiVersion = '', ...rest] = path.split('/');
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [resource = '', name = '', subresource = ''] = isNamespaced ? rest.slice(2) : rest;
  const namespace = isNamespaced ? rest[1] : '';
  return { apiGroup: group === 'core' ? '' : group, apiVersion, resource, name, subresource, namespace };
}
