import type { PlaybookStep } from '../../api/playbook.ts';
import { approve } from '../../cli/plugin/approve.ts';
import { report } from '../../cli/plugin/report.ts';
import { runWithoutTerminal } from '../../cli/plugin/without-terminal.ts';
import type { Cluster } from '../../kube/cluster.ts';

/** What somebody on call does at a terminal, with the plugin; `cluster` is connected as they are. */
export function onCall(cluster: Cluster): {
  approve(incident: string, steps: readonly PlaybookStep[]): Promise<void>;
  report(incident: string): Promise<string>;
} {
  return {
    approve: async (incident, steps) =>
      void (await runWithoutTerminal(approve, cluster, [incident, ...steps])),
    report: async (incident) => (await runWithoutTerminal(report, cluster, [incident])).text,
  };
}
