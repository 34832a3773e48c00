import type { AgentStats } from './agent.ts';

/**
 * What got lost on its way from the kernel to the webhook, by stage and class: in the ring, in the reader, where it was
 * judged, in the spool and where it was sent. Every stage is there, also while it lost nothing.
 */
export function lossesOf({
  sensor,
  correlator,
  binaries,
  settingsFiles,
  spool,
  reporter,
}: AgentStats): Record<string, number> {
  const byClass = (stage: string, counts: Record<string, number>) =>
    Object.entries(counts).map(([name, count]) => [`${stage}/${name}`, count] as const);
  return Object.fromEntries([
    ...byClass('ring', sensor.dropped),
    ...byClass('reader', sensor.failed),
    ['judge/container', correlator.forgotten],
    ['judge/hash', binaries.missed],
    ['judge/settings', settingsFiles.missed],
    ['spool/detection', spool?.lost ?? 0],
    ['spool/version', spool?.outdated ?? 0],
    ['spool/file', spool?.corrupt ?? 0],
    ['sender/detection', reporter?.rejected ?? 0],
  ]);
}
