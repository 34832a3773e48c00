import type { KubesentryError } from '../../api/errors.ts';
import type { Decision } from './decide.ts';
import { refusalMessage, warningText } from './message.ts';
import type { AdmissionRequest } from './review.ts';

/** admission.k8s.io/v1 AdmissionReview with a response. */
export interface ReviewAnswer {
  apiVersion: 'admission.k8s.io/v1';
  kind: 'AdmissionReview';
  response: {
    uid: string;
    allowed: boolean;
    status?: { code: number; reason: string; message: string };
    warnings?: string[];
    /** In the audit event these carry the name of the webhook as a prefix. */
    auditAnnotations?: Record<string, string>;
  };
}

/** `id` is the name of the Denial that is kept; undefined when none is. */
export function answerOf(
  request: AdmissionRequest,
  { verdict, ruling }: Decision,
  id: string | undefined,
): ReviewAnswer {
  if (!ruling) return review({ uid: request.uid, allowed: true });
  const auditAnnotations = {
    verdict,
    gate: ruling.gate,
    rules: [...new Set(ruling.findings.map(({ rule }) => rule))].join(','),
    ...(id === undefined ? {} : { denial: id }),
    ...(ruling.incident === undefined ? {} : { incident: ruling.incident }),
  };
  if (verdict === 'deny') {
    const message = refusalMessage(request, ruling, id);
    const status = { code: 403, reason: 'Forbidden', message };
    return review({ uid: request.uid, allowed: false, status, auditAnnotations });
  }
  const warnings = verdict === 'warn' ? [warningText(request, ruling, id)] : undefined;
  return review({ uid: request.uid, allowed: true, ...(warnings ? { warnings } : {}), auditAnnotations });
}

const REASONS: Record<number, string> = {
  400: 'BadRequest',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
};

/**
 * Refuses what could not be judged. An HTTP error would let the failurePolicy decide, and with Ignore that admits
 * what was made unreadable on purpose.
 */
export function answerUnjudged(uid: string, error: KubesentryError): ReviewAnswer {
  const { status: code, message, remedy } = error;
  return review({
    uid,
    allowed: false,
    status: {
      code,
      reason: REASONS[code] ?? 'InternalError',
      message: `Kubesentry could not judge this and refuses it (${error.code}): ${message} ${remedy}`,
    },
    auditAnnotations: { verdict: 'deny', error: error.code },
  });
}

function review(response: ReviewAnswer['response']): ReviewAnswer {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
}
