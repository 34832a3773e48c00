import { GROUP } from '../../api/names.ts';
import { isRecord, type JsonRecord, listOf, textOf } from '../../detection/shape.ts';
import type { Actor, Fact, Target } from './fact.ts';
import { type DropReason, disinterest, type Sightings } from './interest.ts';
import { DETAIL_LIMIT, objectFacts, patchedLabels } from './object-facts.ts';

/** What became of one event: a fact, a reason not to keep it, or what is wrong with it. */
export type Reading = { fact: Fact } | { dropped: DropReason } | { malformed: string };

const TEXT_LIMIT = 512;
const GROUPS = 32;
const WORDS = 64;

/** RequestReceived says nothing that these do not. An exec is told when it starts: it may go on for days. */
const FINAL: ReadonlySet<string> = new Set(['ResponseComplete', 'ResponseStarted', 'Panic']);

/**
 * Reads one Event of audit.k8s.io/v1, whatever it looks like; never throws. Patches carry the patch as requestObject:
 * read for what it says, which is less than the object. Contents of Secrets and ConfigMaps are not looked at.
 * With `sightings`, what is dropped otherwise is kept where it shows an identity at a new address.
 * Source: k8s.io/apiserver/pkg/apis/audit/v1/types.go.
 */
export function readEvent(value: unknown, sightings?: Pick<Sightings, 'isNew'>): Reading {
  if (!isRecord(value)) return { malformed: 'not an object' };
  const id = text(value.auditID, 128);
  const time = Date.parse(textOf(value.requestReceivedTimestamp));
  const user = isRecord(value.user) ? value.user : {};
  if (id === '') return { malformed: 'no auditID' };
  if (Number.isNaN(time)) return { malformed: 'no requestReceivedTimestamp' };
  if (textOf(value.verb) === '') return { malformed: 'no verb' };
  if (!FINAL.has(textOf(value.stage))) return { dropped: 'unfinished' };
  const actor = actorOf(user, value.impersonatedUser);
  const reference = isRecord(value.objectRef) ? value.objectRef : {};
  const annotations = isRecord(value.annotations) ? value.annotations : {};
  const failedOpen = failedOpenOf(annotations);
  const place: Target = {
    group: text(reference.apiGroup),
    resource: text(reference.resource),
    subresource: text(reference.subresource),
    namespace: text(reference.namespace),
    name: text(reference.name),
    uid: text(reference.uid, 64),
  };
  const verb = text(value.verb, 32);
  const code = codeOf(value.responseStatus);
  const decision = decisionOf(annotations);
  const dropped = disinterest({ actor, verb, target: place, code, decision, failedOpen: failedOpen !== '' });
  const address = text(listOf(value.sourceIPs)[0], 64);
  if (dropped && (dropped === 'unauthenticated' || !sightings?.isNew(actor, address, time)))
    return { dropped };
  const { target, images, fingerprint, details } = withObjects(place, value);
  // An update sends every label, changed or not.
  const labels =
    place.resource === 'namespaces' && verb !== 'update' ? patchedLabels(value.requestObject) : '';
  if (labels !== '') details.labels = labels;
  if (failedOpen !== '') details.failedOpen = failedOpen;
  return {
    fact: {
      id,
      time,
      actor,
      address,
      userAgent: text(value.userAgent, 256),
      verb,
      target,
      code,
      decision,
      command: commandOf(place.subresource, value.requestURI),
      images,
      fingerprint,
      details,
    },
  };
}

/** `user.extra` of bound tokens: k8s.io/apiserver/pkg/authentication/{serviceaccount,user}. */
function actorOf(user: JsonRecord, impersonated: unknown): Actor {
  const extra = isRecord(user.extra) ? user.extra : {};
  const claim = (name: string) => text(listOf(extra[`authentication.kubernetes.io/${name}`])[0], 256);
  const impersonates = isRecord(impersonated) ? text(impersonated.username) : '';
  const podName = claim('pod-name');
  const podUid = claim('pod-uid');
  const nodeName = claim('node-name');
  const credential = claim('credential-id');
  return {
    user: text(user.username),
    groups: listOf(user.groups)
      .slice(0, GROUPS)
      .map((group) => text(group)),
    ...(impersonates === '' ? {} : { impersonates }),
    ...(podName === '' ? {} : { podName }),
    ...(podUid === '' ? {} : { podUid }),
    ...(nodeName === '' ? {} : { nodeName }),
    ...(credential === '' ? {} : { credential }),
  };
}

/** The response is what came to be, with its name and uid; the request is what was asked for. */
function withObjects(place: Target, { requestObject: sent, responseObject: answered }: JsonRecord) {
  const requestObject = placed(sent, place);
  const responseObject = placed(answered, place);
  const isSecret = place.resource === 'secrets' || place.subresource === 'token';
  const asked = isRecord(requestObject) && !isSecret ? objectFacts(requestObject, place.resource) : undefined;
  const isStatus = isRecord(responseObject) && responseObject.kind === 'Status';
  const made =
    isRecord(responseObject) && !isSecret && !isStatus
      ? objectFacts(responseObject, place.resource)
      : undefined;
  const owner = made?.owner ?? asked?.owner;
  const ownerUid = made?.ownerUid ?? asked?.ownerUid;
  const target: Target = {
    ...place,
    name: place.name || made?.name.slice(0, TEXT_LIMIT) || asked?.name.slice(0, TEXT_LIMIT) || '',
    namespace: place.namespace,
    uid: place.uid || made?.uid.slice(0, 64) || asked?.uid.slice(0, 64) || '',
    ...(owner === undefined ? {} : { owner }),
    ...(ownerUid === undefined ? {} : { ownerUid }),
  };
  const whole = made?.images.length ? made : asked;
  const details: Record<string, string> = { ...made?.details, ...asked?.details };
  // A merge patch has no kind, and is only a part of what will run.
  const isPart = whole === asked && isRecord(sent) && sent.kind === undefined;
  const fingerprint = (whole?.fingerprint ?? []).filter(({ facet }) => !isPart || facet !== 'template');
  return { target, images: whole?.images ?? [], fingerprint, details };
}

/** Namespace and name of the request, where the object leaves them out. */
function placed(object: unknown, { namespace, name }: Target): unknown {
  if (!isRecord(object)) return object;
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  const place = { ...(namespace && { namespace }), ...(name && { name }) };
  return { ...object, metadata: { ...place, ...metadata } };
}

/** PodExecOptions in the query, a `command` for every word. Through nodes/proxy the kubelet's own query has it. */
function commandOf(subresource: string, requestURI: unknown): string[] {
  if ((subresource !== 'exec' && subresource !== 'proxy') || typeof requestURI !== 'string') return [];
  const query = requestURI.slice(0, 64 * 1024).split('?', 2)[1] ?? '';
  const words = new URLSearchParams(query);
  return [...words.getAll('command'), ...words.getAll('cmd')]
    .slice(0, WORDS)
    .map((word) => word.slice(0, 4096));
}

/**
 * Names of our webhooks that did not answer, separated by commas.
 * Source: k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go.
 */
function failedOpenOf(annotations: JsonRecord): string {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith('failed-open.validating.webhook.admission.k8s.io/'))
    .map(([, name]) => textOf(name))
    .filter((name) => name.endsWith(`.${GROUP}`))
    .sort()
    .join(', ')
    .slice(0, DETAIL_LIMIT);
}

function decisionOf(annotations: JsonRecord): Fact['decision'] {
  const decision = annotations['authorization.k8s.io/decision'];
  return decision === 'allow' || decision === 'forbid' ? decision : '';
}

function codeOf(status: unknown): number {
  const code = isRecord(status) ? status.code : undefined;
  return typeof code === 'number' && Number.isInteger(code) && code >= 0 && code < 1000 ? code : 0;
}

function text(value: unknown, limit = TEXT_LIMIT): string {
  return textOf(value).slice(0, limit);
}
