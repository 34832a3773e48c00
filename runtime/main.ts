import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Detection } from '../api/detection.ts';
import { OPTIONAL } from '../bpf/programs.ts';
import { loadIndicators } from '../detection/load.ts';
import type { Cluster } from '../kube/cluster.ts';
import { checkNode } from './check.ts';
import { type Log, stderrLog } from './log.ts';
import { agentMetrics, serveMetrics } from './metrics.ts';
import { AGENT_HELP, type AgentArguments, parseAgentArguments } from './options.ts';
import { type Agent, type AgentOptions, startAgent } from './start.ts';
import { textLine } from './text-output.ts';
import { webhookCa } from './webhook-ca.ts';

/**
 * `kubesentry agent`: resolves to the exit code; `argv` is what stands behind `agent`. Raises USAGE, and what startAgent
 * raises.
 */
export async function agentCommand(argv: readonly string[]): Promise<number> {
  const args = parseAgentArguments(argv, process.env);
  if (args.help) {
    process.stdout.write(AGENT_HELP);
    return 0;
  }
  if (args.check) return checkNode((line) => console.log(line), pathsOf(args)) ? 0 : 1;
  return run(args);
}

async function run(args: AgentArguments): Promise<number> {
  const ended = endOf();
  const log = stderrLog(args.logLevel);
  const agent = await startAgent(await optionsOf(args, log));
  const metrics =
    args.metricsPort === undefined
      ? undefined
      : await serveMetrics(agentMetrics(agent.stats, agent.families, agent.abilities), args.metricsPort);
  process.stderr.write(`${readiness(args, agent)}\n`);
  for (const { family, failed } of agent.families) {
    for (const { program, error } of failed) {
      const level = OPTIONAL.includes(family) ? 'info' : 'warn';
      log[level](
        { family, program, reason: error.message },
        'this kernel refuses a program; the others work',
      );
    }
  }
  await ended;
  metrics?.close();
  await agent.close();
  return 0;
}

async function optionsOf(args: AgentArguments, log: Log): Promise<AgentOptions> {
  const { standalone, kubeconfig, webhook, tokenFile, caFile, spool } = args;
  const cluster = standalone ? undefined : await connect(kubeconfig);
  return {
    node: args.node,
    indicators: await loadIndicators(),
    log,
    cluster,
    webhook:
      webhook === undefined
        ? undefined
        : {
            url: webhook,
            token: () => readFile(tokenFile, 'utf8'),
            ca: webhookCa(caFile, cluster),
            spool,
          },
    onDetection: printer(args.output),
    mode: args.enforce ? 'enforce' : 'detect',
    stop: args.freeze ? 'freeze' : 'kill',
    cgroup: args.cgroup,
    // People and scripts that read the lines want every count soon; the webhook does not.
    repeatInterval: args.standalone ? 100 : 5000,
    ...pathsOf(args),
  };
}

/** The client of the API server is large; alone the agent starts faster without it. */
async function connect(kubeconfig: string | undefined): Promise<Cluster> {
  const { connectCluster } = await import('../kube/http/connect.ts');
  return connectCluster({ kubeconfig });
}

function pathsOf({ proc, cgroupRoot }: AgentArguments): Pick<AgentOptions, 'procRoot' | 'cgroupRoot'> {
  return { procRoot: proc, cgroupRoot };
}

function printer(output: AgentArguments['output']): ((detection: Detection) => void) | undefined {
  if (output === undefined) return undefined;
  const line = output === 'text' ? textLine : JSON.stringify;
  return (detection) => process.stdout.write(`${line(detection)}\n`);
}

function readiness({ cgroup, enforce }: AgentArguments, { families }: Agent): string {
  const working = families.filter(({ attached }) => attached.length > 0).map(({ family }) => family);
  const what = cgroup === undefined ? 'this machine' : `cgroup ${cgroup}`;
  return `watching ${what} (${working.join(', ')}), ${enforce ? 'enforcing' : 'reporting only'}`;
}

/** Resolves when the agent is asked to end, or when nobody reads its output any more. */
function endOf(): Promise<unknown> {
  const broken = new Promise<void>((resolve) => {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      resolve();
    });
  });
  return Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), broken]);
}
