import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import { nestsDeeper } from '../json-nesting.ts';
import { peekUid } from './peek-uid.ts';

/** Go's encoder nests an object of a custom resource at most this deep; deeper input is an attack on parsers. */
export const DEPTH_LIMIT = 100;

const GroupVersionKind = Type.Object({ group: Type.String(), version: Type.String(), kind: Type.String() });
const GroupVersionResource = Type.Object({
  group: Type.String(),
  version: Type.String(),
  resource: Type.String(),
});

/** The part of admission.k8s.io/v1 AdmissionRequest that we read; the rest passes unseen. */
const Envelope = Type.Object({
  apiVersion: Type.Literal('admission.k8s.io/v1'),
  kind: Type.Literal('AdmissionReview'),
  request: Type.Object({
    uid: Type.String({ minLength: 1, maxLength: 256 }),
    kind: GroupVersionKind,
    resource: GroupVersionResource,
    subResource: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    namespace: Type.Optional(Type.String()),
    operation: Type.Union([
      Type.Literal('CREATE'),
      Type.Literal('UPDATE'),
      Type.Literal('DELETE'),
      Type.Literal('CONNECT'),
    ]),
    userInfo: Type.Object({
      username: Type.String(),
      groups: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
    }),
    dryRun: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  }),
});
const envelope = Compile(Envelope);

export interface AdmissionRequest {
  uid: string;
  kind: Static<typeof GroupVersionKind>;
  resource: Static<typeof GroupVersionResource>;
  /** Empty for the resource itself. */
  subResource: string;
  /** Empty while the API server has yet to make one from generateName. */
  name: string;
  /** Empty for what is cluster-scoped. */
  namespace: string;
  operation: Static<typeof Envelope>['request']['operation'];
  userInfo: { username: string; groups: readonly string[] };
  /** Absent on DELETE only. On CONNECT these are the options, such as PodExecOptions. */
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
  dryRun: boolean;
}

/** A review that can be judged, or why not, with the uid to answer to when that much could be read. */
export type Reading = { request: AdmissionRequest } | { error: KubesentryError; uid: string | undefined };

/** Reads an admission.k8s.io/v1 AdmissionReview. Never throws. */
export function readReview(body: Buffer): Reading {
  if (body.length === 0) return refused('BODY_NOT_JSON', 'The body is empty.', undefined);
  if (nestsDeeper(body, DEPTH_LIMIT)) {
    return refused('BODY_TOO_DEEP', `The body nests deeper than ${DEPTH_LIMIT} levels.`, peekUid(body));
  }
  let review: unknown;
  try {
    review = JSON.parse(body.toString('utf8'));
  } catch {
    return refused('BODY_NOT_JSON', 'The body is not JSON, or it was cut off.', peekUid(body));
  }
  if (!envelope.Check(review)) {
    const [error] = envelope.Errors(review);
    const where = error?.instancePath.slice(1).replaceAll('/', '.') || 'the body';
    return refused('BODY_INVALID', `No AdmissionReview: ${where} ${error?.message}.`, uidOf(review));
  }
  const { uid } = review.request;
  const { object, oldObject } = review.request as { object?: unknown; oldObject?: unknown };
  const { operation } = review.request;
  if (operation !== 'DELETE' && !isObject(object)) {
    return refused('BODY_INVALID', `The request to ${operation} carries no object.`, uid);
  }
  return {
    request: {
      ...review.request,
      subResource: review.request.subResource ?? '',
      name: review.request.name ?? '',
      namespace: review.request.namespace ?? '',
      userInfo: {
        username: review.request.userInfo.username,
        groups: review.request.userInfo.groups ?? [],
      },
      object: isObject(object) ? object : undefined,
      oldObject: isObject(oldObject) ? oldObject : undefined,
      dryRun: review.request.dryRun === true,
    },
  };
}

function refused(
  code: 'BODY_NOT_JSON' | 'BODY_TOO_DEEP' | 'BODY_INVALID',
  message: string,
  uid: string | undefined,
): Reading {
  return { error: new KubesentryError(code, message), uid };
}

function isObject(value: unknown): value is KubeObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function uidOf(review: unknown): string | undefined {
  const request = isObject(review) ? review.request : undefined;
  const uid = isObject(request) ? request.uid : undefined;
  return typeof uid === 'string' && uid !== '' && uid.length <= 256 ? uid : undefined;
}
