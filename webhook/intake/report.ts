import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Detection, DetectionReport } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import { DEPTH_LIMIT } from '../admission/review.ts';
import type { Body } from '../body.ts';
import { nestsDeeper } from '../json-nesting.ts';
import { BODY_LIMIT } from '../server.ts';

/** The report without its detections: one that is wrong must not cost the others. */
const Envelope = Type.Object({
  ...DetectionReport.properties,
  detections: Type.Array(Type.Unknown(), { maxItems: 500 }),
});
const envelope = Compile(Envelope);
const detection = Compile(Detection);

/** Raises BODY_TOO_LARGE, OVERLOADED, BODY_TOO_DEEP, BODY_NOT_JSON or BODY_INVALID. */
export function readReport({ bytes, end }: Body): Static<typeof Envelope> {
  if (end === 'too-large') {
    throw new KubesentryError('BODY_TOO_LARGE', `The report is larger than ${BODY_LIMIT} bytes.`);
  }
  if (end === 'overloaded') {
    throw new KubesentryError('OVERLOADED', 'More reports are arriving than fit into memory.');
  }
  if (nestsDeeper(bytes, DEPTH_LIMIT)) {
    throw new KubesentryError('BODY_TOO_DEEP', `The report nests deeper than ${DEPTH_LIMIT} levels.`);
  }
  let report: unknown;
  try {
    report = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new KubesentryError('BODY_NOT_JSON', 'The report is not JSON, or it was cut off.');
  }
  if (envelope.Check(report)) return report;
  throw new KubesentryError('BODY_INVALID', `No DetectionReport: ${firstError(envelope.Errors(report))}.`);
}

/** The detection, or what is wrong with it in one sentence. */
export function readDetection(value: unknown): { detection: Detection } | { id: string; problem: string } {
  if (detection.Check(value)) {
    // The format allows leap seconds, which no Date can hold.
    if (!Number.isNaN(Date.parse(value.time))) return { detection: value };
    return { id: value.id, problem: 'time is not a time that can be read.' };
  }
  const id = (value as { id?: unknown } | null)?.id;
  return {
    id: typeof id === 'string' ? id.slice(0, 64) : '',
    problem: `${firstError(detection.Errors(value))}.`,
  };
}

function firstError([error]: readonly { instancePath: string; message: string }[]): string {
  return `${error?.instancePath.slice(1).replaceAll('/', '.') || 'it'} ${error?.message}`;
}
