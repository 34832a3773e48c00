import { GROUP } from '../../api/names.ts';
import { fingerprintObject } from '../../detection/fingerprint.ts';
import { isRecord, listOf, textOf } from '../../detection/shape.ts';
import { workloadView } from '../../detection/workload.ts';
import type { Actor, Fact, Target } from './fact.ts';

/** Bounds of what one fact keeps. */
const TEXT = 1024;
const GROUPS = 32;
const WORDS = 64;
const IMAGES = 32;

/** Annotations by which the API server says that a webhook was not there (k8s.io/apiserver validating/dispatcher.go). */
const FAILED_OPEN = 'failed-open.validating.webhook.admission.k8s.io/';

/** Extra of users whose token is bound to a pod (KEP-1205, KEP-4193; k8s.io/apiserver pkg/authentication/serviceaccount). */
const EXTRA = {
  podName: 'authentication.kubernetes.io/pod-name',
  podUid: 'authentication.kubernetes.io/pod-uid',
  nodeName: 'authentication.kubernetes.io/node-name',
  credential: 'authentication.kubernetes.io/credential-id',
} as const;

type Json = Record<string, unknown>;

/**
 * The fact in an audit.k8s.io/v1 Event; undefined for what is none, or says nothing that can be used. Never throws,
 * whatever the event is. Objects are looked at for what runs in them and not kept; of a Secret not even that.
 */
export function factOf(event: unknown): Fact | undefined {
  if (!isRecord(event)) return undefined;
  const id = cut(textOf(event.auditID), 64);
  const time = Date.parse(textOf(event.requestReceivedTimestamp));
  const verb = cut(textOf(event.verb), 32);
  const actor = actorOf(event);
  if (id === '' || Number.isNaN(time) || verb === '' || !actor) return undefined;
  const request = recordOf(event.requestObject);
  const response = recordOf(event.responseObject);
  const target = targetOf(event, request, response);
  const annotations = recordOf(event.annotations) ?? {};
  const decision = textOf(annotations['authorization.k8s.io/decision']);
  const object = target.resource === 'secrets' ? undefined : workloadIn(response, request, target);
  const view = object && workloadView(object);
  return {
    id,
    time,
    actor,
    address: cut(textOf(listOf(event.sourceIPs)[0]), 64),
    userAgent: cut(textOf(event.userAgent), 256),
    verb,
    target,
    code: codeOf(event.responseStatus),
    decision: decision === 'allow' || decision === 'forbid' ? decision : '',
    command: commandOf(textOf(event.requestURI), target.subresource),
    images: [...new Set((view?.containers ?? []).map(({ image }) => cut(image, TEXT)))].slice(0, IMAGES),
    fingerprint: object ? fingerprintObject(object) : [],
    details: detailsOf(target, verb, event.requestObject, annotations),
  };
}

function actorOf({ user, impersonatedUser }: Json): Actor | undefined {
  if (!isRecord(user)) return undefined;
  const name = cut(textOf(user.username), 256);
  if (name === '') return undefined;
  const extra = recordOf(user.extra) ?? {};
  const as = isRecord(impersonatedUser) ? cut(textOf(impersonatedUser.username), 256) : '';
  const claims = Object.entries(EXTRA).flatMap(([claim, key]) => {
    const value = cut(textOf(listOf(extra[key])[0]), 256);
    return value === '' ? [] : [[claim, value] as const];
  });
  return {
    user: name,
    groups: listOf(user.groups)
      .map((group) => cut(textOf(group), 256))
      .filter((group) => group !== '')
      .slice(0, GROUPS),
    ...(as !== '' && { impersonates: as }),
    ...Object.fromEntries(claims),
  };
}

/** The reference of the request, completed by what the answer says: generated names and uids are only there. */
function targetOf({ objectRef }: Json, request: Json | undefined, response: Json | undefined): Target {
  const reference = recordOf(objectRef) ?? {};
  const resource = cut(textOf(reference.resource), 128);
  const subresource = cut(textOf(reference.subresource), 64);
  // What subresources answer, such as a Scale or a TokenRequest, has a name and a uid of its own.
  const answered = subresource === '' || subresource === 'status' || subresource === 'ephemeralcontainers';
  const metadata = [answered ? response : undefined, request].map(
    (object) => recordOf(object?.metadata) ?? {},
  );
  const first = (field: string) =>
    metadata.map((each) => textOf(each[field])).find((text) => text !== '') ?? '';
  const owner = metadata
    .flatMap((each) => listOf(each.ownerReferences))
    .find((each) => recordOf(each)?.controller === true);
  const controller = recordOf(owner);
  return {
    group: cut(textOf(reference.apiGroup), 253),
    resource,
    subresource,
    namespace: cut(textOf(reference.namespace), 63),
    name: cut(textOf(reference.name) || first('name'), 253),
    uid: cut(textOf(reference.uid) || first('uid'), 64),
    ...(controller && {
      owner: cut(`${textOf(controller.kind)}/${textOf(controller.name)}`, 317),
      ownerUid: cut(textOf(controller.uid), 64),
    }),
  };
}

/** What was written, as a whole object: what was answered, or what was sent unless that is only a patch. */
function workloadIn(response: Json | undefined, request: Json | undefined, target: Target): Json | undefined {
  if (target.subresource !== '' && target.subresource !== 'ephemeralcontainers') return undefined;
  for (const object of [response, request]) {
    if (!object || workloadView(object) === undefined) continue;
    const metadata = { namespace: target.namespace, name: target.name, ...recordOf(object.metadata) };
    return { ...object, metadata };
  }
  return undefined;
}

/** argv of an exec or attach; kubectl sends a GET for its WebSocket, older ones a POST. */
function commandOf(uri: string, subresource: string): string[] {
  // Through nodes/proxy the kubelet runs commands that are in its own query.
  if (subresource !== 'exec' && subresource !== 'attach' && subresource !== 'proxy') return [];
  const at = uri.indexOf('?');
  if (at < 0) return [];
  const query = new URLSearchParams(uri.slice(at, at + 32_768));
  const words = [...query.getAll('command'), ...query.getAll('cmd')];
  return words.slice(0, WORDS).map((word) => cut(word, TEXT));
}

/** Plain facts of single kinds of request; see Fact.details. */
function detailsOf(
  { resource, subresource }: Target,
  verb: string,
  sent: unknown,
  annotations: Json,
): Record<string, string> {
  const request = recordOf(sent);
  const details: Record<string, string> = {};
  const note = (key: string, text: string) => {
    if (text !== '') details[key] = cut(text, TEXT);
  };
  if (resource === 'clusterrolebindings' || resource === 'rolebindings') {
    note('role', textOf(recordOf(request?.roleRef)?.name));
    note('subjects', listOf(request?.subjects).map(subjectOf).filter(Boolean).join(', '));
  }
  if (resource === 'namespaces' && subresource === '') note('labels', changedLabels(verb, sent).join(','));
  if (resource !== 'secrets') note('serviceAccount', serviceAccountIn(request));
  const open = Object.entries(annotations).filter(([key]) => key.startsWith(FAILED_OPEN));
  note('failedOpen', open.map(([, name]) => textOf(name)).join(', '));
  return details;
}

function subjectOf(subject: unknown): string {
  const { kind, name, namespace } = recordOf(subject) ?? {};
  if (textOf(name) === '') return '';
  return kind === 'ServiceAccount'
    ? `ServiceAccount/${textOf(namespace)}/${textOf(name)}`
    : `${textOf(kind)}/${textOf(name)}`;
}

/**
 * Label keys that a request sets or takes away. A whole object says nothing about what changed: of ours only patches
 * are counted, or every update of a contained namespace would look like tampering.
 */
function changedLabels(verb: string, request: unknown): string[] {
  if (Array.isArray(request)) {
    return request.flatMap((operation) => {
      const [, key] = /^\/metadata\/labels\/(.+)$/.exec(textOf(recordOf(operation)?.path)) ?? [];
      return key === undefined ? [] : [key.replaceAll('~1', '/').replaceAll('~0', '~')];
    });
  }
  const keys = Object.keys(recordOf(recordOf(recordOf(request)?.metadata)?.labels) ?? {});
  return verb === 'update' ? keys.filter((key) => !key.startsWith(`${GROUP}/`)) : keys;
}

function serviceAccountIn(request: Json | undefined): string {
  const spec = recordOf(request?.spec);
  const cron = recordOf(recordOf(spec?.jobTemplate)?.spec);
  for (const holder of [
    spec,
    recordOf(recordOf(spec?.template)?.spec),
    recordOf(recordOf(cron?.template)?.spec),
  ]) {
    const name = textOf(holder?.serviceAccountName);
    if (name !== '') return name;
  }
  return '';
}

function codeOf(status: unknown): number {
  const code = recordOf(status)?.code;
  return typeof code === 'number' && Number.isInteger(code) && code >= 0 && code < 1000 ? code : 0;
}

function recordOf(value: unknown): Json | undefined {
  return isRecord(value) ? value : undefined;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length);
}
