/** `npm run demo`: the main job, told step by step on a real kernel. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import type { KubeObject } from '../api/object.ts';
import { silentNarrator, terminalNarrator } from './narrator.ts';
import type { Stage } from './stage.ts';
import { type Cast, tell } from './story.ts';

const HELP = `Usage: npm run demo -- [--json] [--cluster]

Plays an attack on Kubesentry and checks that each step truly happens: a miner is refused at deploy,
another one is caught at run time by eBPF, its namespace is quarantined, its respawn is denied.

  --json        print one JSON document instead of the story (npm run --silent demo -- --json, in a pipe)
  --cluster     on a real Kubernetes (npm run cluster -- up) instead of the embedded one
  --name NAME   which one, when several are up
  -h, --help    this text

Exit code 0 only if every step happened.
`;

const HAPPENED = `
Every step happened, and nothing of it is left on this machine.
The times count from the beginning, and from the attack on (3.) from the first hostile act.
Next: the same on a real Kubernetes (npm run cluster -- up, npm run demo -- --cluster), or docs/quick-start.md.
`;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    cluster: { type: 'boolean' },
    name: { type: 'string', default: 'default' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const manifest = (name: string) =>
  parse(readFileSync(join(import.meta.dirname, 'manifests', `${name}.yaml`), 'utf8')) as KubeObject;

const cast: Cast = {
  xmrig: manifest('xmrig-daemonset'),
  nodeMetrics: manifest('node-metrics'),
  neighbour: manifest('neighbour'),
  copycat: manifest('copycat'),
};

/** Loaded when it is wanted: the real stage needs what builds images, the embedded one what loads eBPF programs. */
async function openStage(): Promise<Stage> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  if (values.cluster) {
    const { openRealStage } = await import('./real/stage.ts');
    return openRealStage(values.name, log);
  }
  const { openEmbeddedStage } = await import('./embedded/stage.ts');
  return openEmbeddedStage();
}

const stage = await openStage().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
const interrupted = () => void stage.stop().then(() => process.exit(130));
process.once('SIGINT', interrupted);
process.once('SIGTERM', interrupted);

const narrator = values.json
  ? silentNarrator
  : terminalNarrator((text) => process.stdout.write(text), process.stdout.isTTY && !process.env.NO_COLOR);
if (stage.sensor === 'replay' && !values.json) {
  process.stdout.write(
    `eBPF cannot run here (${stage.sensorReason}): kernel events come from a recording.\n`,
  );
}

const steps = await tell(stage, cast, narrator).finally(() => stage.stop());
const ok = steps.every((step) => step.ok) && steps.at(-1)?.step === 'pod-back';
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ sensor: stage.sensor, cluster: stage.cluster, steps, ok }, null, 2)}\n`,
  );
} else {
  process.stdout.write(ok ? HAPPENED : '\nThe story did not come to its end; see above.\n');
}
process.exit(ok ? 0 : 1);
