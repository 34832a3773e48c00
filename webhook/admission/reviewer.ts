import { KubesentryError } from '../../api/errors.ts';
import { GROUP, PROTECTED_NAMESPACES } from '../../api/names.ts';
import type { Body } from '../body.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { controllerOf } from '../top-owner.ts';
import type { ClusterView } from '../view.ts';
import { answerOf, answerUnjudged, type ReviewAnswer } from './answer.ts';
import { type Decision, decide } from './decide.ts';
import { type DenialKey, denialKey, denialOf } from './denial.ts';
import type { DenialRecorder, Refusal } from './denials.ts';
import type { Ruling } from './gate.ts';
import { refusalMessage } from './message.ts';
import { type Overrule, overruleOf } from './overrule.ts';
import { peekUid } from './peek-uid.ts';
import { type AdmissionRequest, readReview } from './review.ts';

/** Half of the webhook's timeoutSeconds: an answer after the API server gave up is none. */
export const DEADLINE_MS = 1_500;

export interface ReviewerOptions {
  view: Pick<ClusterView, 'facts' | 'pods'>;
  recorder: Pick<DenialRecorder, 'record'>;
  metrics: Metrics;
  log: Log;
  clock: () => Date;
  /** Hears what people decided about incidents and quarantines. */
  onOverrule: (overrule: Overrule) => void;
}

/** Answers admission reviews: reads, decides, records. */
export class Reviewer {
  readonly #options: ReviewerOptions;

  constructor(options: ReviewerOptions) {
    this.#options = options;
  }

  /**
   * `arrived` is performance.now() at the first byte. Raises a 4xx KubesentryError only where no uid can be read to
   * answer to.
   */
  review(body: Body, arrived: number): ReviewAnswer {
    const started = performance.now();
    const { metrics } = this.#options;
    const reading = body.end === 'complete' ? readReview(body.bytes) : unread(body);
    if ('error' in reading) return this.#unjudged(reading.uid, reading.error);
    const { request } = reading;
    if (started - arrived > DEADLINE_MS) return this.#late(request);
    let decision: Decision;
    try {
      decision = decide(request, this.#options.view.facts(this.#options.clock()));
    } catch (cause) {
      return this.#failed(request, cause);
    }
    const answer = this.#settle(request, decision);
    metrics.admissionSeconds.observe((performance.now() - started) / 1000);
    metrics.admissionRequests.inc({
      operation: request.operation,
      verdict: decision.verdict,
      gate: decision.ruling?.gate ?? 'none',
    });
    return answer;
  }

  #settle(request: AdmissionRequest, decision: Decision): ReviewAnswer {
    const { ruling } = decision;
    const kept = ruling && !ruling.passing && !request.dryRun && !isRecord(request);
    const key = kept ? denialKey(request, ruling) : undefined;
    const id = key?.name;
    if (key && ruling) this.#options.recorder.record(key, () => refusalOf(request, ruling, key));
    if (ruling) this.#write(request, ruling, id);
    if (decision.verdict !== 'deny') {
      this.#notePod(request);
      this.#noteOverrule(request);
    }
    return answerOf(request, decision, id);
  }

  /** The node knows some containers by the uid of their pod alone. */
  #notePod({ kind, operation, subResource, object, userInfo, dryRun, namespace }: AdmissionRequest): void {
    const isNew = operation === 'CREATE' && kind.kind === 'Pod' && kind.group === '' && subResource === '';
    if (!isNew || dryRun || !object) return;
    this.#options.view.pods.admit(
      { ...object, metadata: { ...object.metadata, namespace } },
      userInfo.username,
    );
  }

  #noteOverrule(request: AdmissionRequest): void {
    const overrule = overruleOf(request);
    if (overrule) this.#options.onOverrule(overrule);
  }

  #write(request: AdmissionRequest, ruling: Ruling, denial: string | undefined): void {
    const { uid, kind, namespace, name, operation, subResource, userInfo, dryRun } = request;
    this.#options.log.info(
      {
        review: uid,
        denial,
        incident: ruling.incident,
        verdict: ruling.verdict,
        gate: ruling.gate,
        rules: [...new Set(ruling.findings.map(({ rule }) => rule))],
        operation,
        kind: kind.kind,
        subResource: subResource || undefined,
        namespace,
        name: name || request.object?.metadata?.generateName,
        user: userInfo.username,
        dryRun: dryRun || undefined,
      },
      'admission',
    );
  }

  #unjudged(uid: string | undefined, error: KubesentryError): ReviewAnswer {
    const { metrics, log } = this.#options;
    metrics.admissionUnjudged.inc({ code: error.code });
    log.warn({ review: uid, code: error.code, reason: error.message, err: error.cause }, 'not judged');
    if (uid === undefined) throw error;
    return answerUnjudged(uid, error);
  }

  /** To let it pass would make a flood a way in; where the cluster lives, availability comes first. */
  #late(request: AdmissionRequest): ReviewAnswer {
    const answer = this.#unjudged(
      request.uid,
      new KubesentryError('OVERLOADED', `The review waited longer than ${DEADLINE_MS} ms.`),
    );
    return this.#isVital(request) ? answerOf(request, { verdict: 'allow' }, undefined) : answer;
  }

  #failed(request: AdmissionRequest, cause: unknown): ReviewAnswer {
    const error = new KubesentryError('INTERNAL', 'Judging it failed.', { cause });
    const answer = this.#unjudged(request.uid, error);
    return this.#isVital(request) ? answerOf(request, { verdict: 'allow' }, undefined) : answer;
  }

  #isVital({ namespace }: AdmissionRequest): boolean {
    return PROTECTED_NAMESPACES.includes(namespace);
  }
}

function refusalOf(request: AdmissionRequest, ruling: Ruling, key: DenialKey): Refusal {
  // The pods of one owner differ in name; the record and the Event are about all of them.
  const any = { ...request, name: request.object?.metadata?.generateName ? '' : request.name };
  const tellsOwner = ruling.verdict === 'deny' && request.subResource === '';
  return {
    denial: denialOf(request, ruling, key),
    owner: tellsOwner ? controllerOf(request.object?.metadata) : undefined,
    message: refusalMessage(any, ruling, key.name),
  };
}

function unread({ bytes, end }: Body): { uid: string | undefined; error: KubesentryError } {
  const error =
    end === 'too-large'
      ? new KubesentryError('BODY_TOO_LARGE', 'The review is larger than 8 MiB.')
      : new KubesentryError('OVERLOADED', 'More reviews are arriving than fit into memory.');
  return { uid: peekUid(bytes), error };
}

/**
 * A Denial that is refused must not be recorded as a Denial: where the webhook runs under a wrong account, each record
 * would call for the next one without end.
 */
function isRecord({ kind, operation }: AdmissionRequest): boolean {
  return kind.group === GROUP && kind.kind === 'Denial' && operation === 'CREATE';
}
