import type { Ancestor, Detection } from '../../api/detection.ts';

/** So many detections fit into one Incident beside everything else; etcd takes 1.5 MiB. */
const EVIDENCE_BYTES = 8 * 1024;
const WORDS = 32;
const WORD = 256;
const ANCESTORS = 8;

/** A detection in the size in which an Incident keeps it. Trimming what is trimmed changes nothing. */
export function trim(detection: Detection): Detection {
  const { process } = detection;
  return {
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
}

function short({ pid, exe, argv }: Ancestor): Ancestor {
  return { pid, exe: exe.slice(0, WORD), argv: argv.slice(0, WORDS).map((word) => word.slice(0, WORD)) };
}

/** By name, as much as fits; a value that does not fit is left out whole and named. */
function trimEvidence(evidence: Detection['evidence']): Detection['evidence'] {
  const kept: Detection['evidence'] = {};
  let left = EVIDENCE_BYTES;
  for (const name of Object.keys(evidence).sort()) {
    const text = JSON.stringify(evidence[name]) ?? '';
    const size = name.length + text.length;
    if (size > left) kept[name] = 'left out: too large';
    else {
      kept[name] = evidence[name];
      left -= size;
    }
  }
  return kept;
}
