import type { Detection } from '../api/detection.ts';
import type { Finding } from '../api/finding.ts';
import { printable } from '../api/printable.ts';

/** One detection as a line for people. Control characters are the attacker's and are not shown. */
export function textLine(detection: Detection): string {
  const { time, severity, confidence, action, process, container, repeats } = detection;
  const where =
    container === null
      ? 'node'
      : container.pod === null
        ? container.cgroup
        : `${container.namespace}/${container.pod}/${container.name ?? container.id}`;
  const findings = (detection.evidence.findings ?? []) as Finding[];
  // Two fields of a process often say the same.
  const why = [...new Set(findings.map(({ message }) => message))].join(' ');
  const line = [
    time,
    severity.toUpperCase().padEnd(8),
    `${detection.rule} (${Math.round(confidence * 100)} %)`,
    where,
    `pid ${process.pid} ${[process.exe, ...process.argv.slice(1)].join(' ').slice(0, 200)}`,
    why,
    ...(action === 'none' ? [] : [`[${action}]`]),
    ...(repeats === 0 ? [] : [`[seen ${repeats + 1} times]`]),
  ].join('  ');
  return printable(line);
}
