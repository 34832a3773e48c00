import type { DetectedContainer, Detection, DetectionReportAnswer } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import { type Body, BodyBudget } from '../body.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { KnownPod } from '../pod-index.ts';
import type { ClusterView } from '../view.ts';
import type { EgressReports } from './egress-reports.ts';
import type { Journal } from './journal.ts';
import type { NodeBook } from './node-book.ts';
import { readDetection, readReport } from './report.ts';
import type { Reporter, TokenVerifier } from './tokens.ts';

export interface IntakeOptions {
  tokens: Pick<TokenVerifier, 'verify'>;
  view: Pick<ClusterView, 'pods'>;
  journal: Pick<Journal, 'keep'>;
  /** What agents say about contained pods. */
  egress: Pick<EgressReports, 'note'>;
  nodes: Pick<NodeBook, 'note'>;
  metrics: Metrics;
  log: Log;
}

/** A detection with what the cluster knows about its container. */
export interface Placed {
  detection: Detection;
  node: string;
  pod: KnownPod | undefined;
}

/** Reports that are under way at a time, and their bytes. An agent that is turned away keeps its report. */
const UNDER_WAY = { reports: 4_000, bytes: 16 * 1024 * 1024 };

/** Takes the agents' reports: who is it, is it well formed, is it theirs to tell, and is it kept. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #bytes = new BodyBudget(UNDER_WAY.bytes);
  #reports = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Raises a KubesentryError where the report as a whole is refused. */
  async report(body: Body, authorization: string | undefined): Promise<DetectionReportAnswer> {
    const { reports, reportSeconds } = this.#options.metrics;
    const observe = reportSeconds.startTimer();
    try {
      const answer = await this.#admit(body, authorization);
      reports.inc({ status: 200 });
      return answer;
    } catch (error) {
      reports.inc({ status: error instanceof KubesentryError ? error.status : 500 });
      throw error;
    } finally {
      observe();
    }
  }

  async #admit(body: Body, authorization: string | undefined): Promise<DetectionReportAnswer> {
    const reporter = await this.#options.tokens.verify(authorization);
    if (this.#reports >= UNDER_WAY.reports || !this.#bytes.take(body.bytes.length)) {
      throw new KubesentryError('OVERLOADED', 'More reports are waiting than can be worked on.');
    }
    this.#reports++;
    try {
      return await this.#take(body, reporter);
    } finally {
      this.#reports--;
      this.#bytes.give(body.bytes.length);
    }
  }

  async #take(body: Body, reporter: Reporter): Promise<DetectionReportAnswer> {
    const { metrics, log } = this.#options;
    const report = readReport(body);
    this.#mustBeOn(report.node, reporter);
    if (report.state) this.#options.egress.note(report.node, report.state);
    const habits = report.state && this.#options.nodes.note(report.node, report.state);
    const rejected: DetectionReportAnswer['rejected'] = [];
    const placed = new Map<string, Placed>();
    for (const value of report.detections) {
      const reading = readDetection(value);
      if ('problem' in reading) {
        rejected.push({ id: reading.id, code: 'BODY_INVALID', message: reading.problem });
        continue;
      }
      const place = this.#place(reading.detection, report.node);
      if (place === undefined) metrics.detections.inc({ outcome: 'deferred' });
      else if ('detection' in place) placed.set(place.detection.id, place);
      else rejected.push(place);
    }
    const acknowledged = await this.#options.journal.keep([...placed.values()], body.bytes.length);
    metrics.detections.inc({ outcome: 'acknowledged' }, acknowledged.length);
    metrics.detections.inc({ outcome: 'deferred' }, placed.size - acknowledged.length);
    for (const { code } of rejected) metrics.detections.inc({ outcome: code });
    const counts = { acknowledged: acknowledged.length, rejected: rejected.length };
    log.info({ node: report.node, received: report.detections.length, ...counts }, 'report');
    if (placed.size > 0 && acknowledged.length === 0 && rejected.length === 0) {
      throw new KubesentryError('KUBE_UNREACHABLE', 'The detections could not be kept in the API server.');
    }
    return { acknowledged, rejected, ...(habits && habits.length > 0 && { habits }) };
  }

  #mustBeOn(node: string, { node: claimed, podUid }: Reporter): void {
    const own = claimed ?? this.#options.view.pods.byUid(podUid ?? '')?.node;
    if (own === node) return;
    const whose = own === undefined ? 'names no node' : `is that of the agent on ${own}`;
    throw new KubesentryError('NOT_YOUR_NODE', `The report speaks for node ${node}; its token ${whose}.`);
  }

  /**
   * Undefined for a pod that is on no node yet: nothing can mine there, or our watch is behind. It is not acknowledged, and
   * comes again; a node that was taken over must not speak for pods that wait in other people's namespaces.
   */
  #place(detection: Detection, node: string): Placed | DetectionReportAnswer['rejected'][number] | undefined {
    const { container } = detection;
    const pod = container?.podUid ? this.#options.view.pods.byUid(container.podUid) : undefined;
    if (!container || !pod) return { detection, node, pod: undefined };
    if (pod.exists && pod.node === undefined) return undefined;
    if (pod.node !== undefined && pod.node !== node) {
      return {
        id: detection.id,
        code: 'NOT_YOUR_NODE',
        message: `Pod ${pod.namespace}/${pod.name} runs on another node than ${node}.`,
      };
    }
    return { detection: { ...detection, container: complete(container, pod) }, node, pod };
  }
}

/** What the webhook knows goes before what the node says: it comes from the API server. */
function complete(container: DetectedContainer, pod: KnownPod): DetectedContainer {
  const [only] = pod.containers.length === 1 ? pod.containers : [];
  const named =
    pod.containers.find(
      ({ id, name }) => (id !== undefined && id === container.id) || name === container.name,
    ) ?? only;
  return {
    ...container,
    namespace: pod.namespace,
    pod: pod.name,
    workload: pod.workload,
    name: named?.name ?? container.name,
    image: named?.image ?? container.image,
  };
}
