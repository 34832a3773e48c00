import type { Ancestor, Detection } from '../../api/detection.ts';

/** Thirty-two detections and everything else of an Incident stay well below the 1.5 MiB that etcd takes. */
const DETECTION_BYTES = 24 * 1024;
const EVIDENCE_BYTES = 6 * 1024;
const ARGUMENTS = 16;
const ANCESTORS = 6;
const TEXT = 256;

/** A detection in the size in which an Incident keeps it. Trimming what is trimmed changes nothing. */
export function trim(detection: Detection): Detection {
  const { process } = detection;
  const trimmed: Detection = {
    ...detection,
    // Times are compared as text.
    time: new Date(detection.time).toISOString(),
    process: {
      ...process,
      ...short(process),
      ancestors: process.ancestors.slice(0, ANCESTORS).map(short),
    },
    evidence: trimEvidence(detection.evidence),
  };
  return bytesOf(trimmed) <= DETECTION_BYTES ? trimmed : bare(trimmed);
}

function short({ pid, exe, argv }: Ancestor): Ancestor {
  return { pid, exe: cut(exe), argv: argv.slice(0, ARGUMENTS).map(cut) };
}

/** By name, as much as fits; a value that does not fit is left out whole. */
function trimEvidence(evidence: Detection['evidence']): Detection['evidence'] {
  const kept: Detection['evidence'] = {};
  let left = EVIDENCE_BYTES;
  for (const name of Object.keys(evidence).sort()) {
    const size = bytesOf({ [name]: evidence[name] });
    if (size > left) continue;
    kept[name] = evidence[name];
    left -= size;
  }
  return kept;
}

/** Letters outside of ASCII and control characters take up to six bytes each. */
function bare(detection: Detection): Detection {
  const { process } = detection;
  const argv = process.argv.slice(0, 4);
  return { ...detection, process: { ...process, argv, ancestors: [] }, evidence: {} };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function cut(text: string): string {
  return text.slice(0, TEXT);
}
