import type { PlaybookStep } from '../../api/playbook.ts';
import { approve } from '../../cli/plugin/approve.ts';
import type { Session } from '../../cli/plugin/options.ts';
import { report } from '../../cli/plugin/report.ts';
import type { Cluster } from '../../kube/cluster.ts';

/** What somebody on call does at a terminal, with the plugin; `cluster` is connected as they are. */
export function onCall(cluster: Cluster): {
  approve(incident: string, steps: readonly PlaybookStep[]): Promise<void>;
  report(incident: string): Promise<string>;
} {
  const run = async (command: (session: Session) => Promise<void>, positionals: string[]) => {
    let shown = '';
    await command({
      connect: async () => cluster,
      positionals,
      namespace: undefined,
      option: () => undefined,
      write: (text) => {
        shown += text;
      },
      exitWith: () => {},
    });
    return shown;
  };
  return {
    approve: async (incident, steps) => void (await run(approve, [incident, ...steps])),
    report: (incident) => run(report, [incident]),
  };
}
