import type { Incident } from '../api/incident.ts';
import type { KubeObject } from '../api/object.ts';
import type { PlaybookStep } from '../api/playbook.ts';
import type { Quarantine } from '../api/quarantine.ts';
import type { Narrator, Step } from './narrator.ts';
import type { Answer, Stage, Traffic } from './stage.ts';

/** The objects of the story, read from demo/manifests/. */
export interface Cast {
  xmrig: KubeObject;
  nodeMetrics: KubeObject;
  neighbour: KubeObject;
  copycat: KubeObject;
}

const ATTACKED = 'shop';
const NEIGHBOUR = 'billing';

/** Of a line of what somebody named; the report has it whole. */
const LONGEST = 160;

/** Long enough for a cut connection to show that nothing comes any more, milliseconds. */
const SILENCE_MS = 1_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Plays the story on `stage`. Every step is checked against what truly happened; the first one that fails
 * ends the story, since the next ones build on it.
 */
export async function tell(stage: Stage, cast: Cast, narrator: Narrator): Promise<Step[]> {
  const steps: Step[] = [];
  let zero = performance.now();

  /** Runs one step; `act` throws or answers what to show beside the time. */
  async function step(name: string, act: () => Promise<string | undefined>): Promise<void> {
    let detail: string | undefined;
    let ok = true;
    try {
      detail = await act();
    } catch (error) {
      ok = false;
      detail = error instanceof Error ? error.message : String(error);
    }
    const done: Step = {
      step: name,
      ok,
      ms: Math.round(performance.now() - zero),
      ...(detail && { detail }),
    };
    steps.push(done);
    narrator.step(done);
    if (!ok) throw new StoryEnded();
  }

  try {
    await deployGate();
    const pod = await enter();
    const { incident, quarantine } = await runtimeGate(pod);
    await respawnGate(pod, incident, quarantine);
    await respond(incident);
    await release(quarantine);
  } catch (error) {
    if (!(error instanceof StoryEnded)) throw error;
  }
  return steps;

  async function deployGate(): Promise<void> {
    narrator.scene(
      'Deploy: a miner that does not hide',
      'Someone with edit rights in the namespace "shop" applies an xmrig DaemonSet for every node.',
    );
    await step('deny-daemonset', async () => {
      const message = refusal(await stage.create(cast.xmrig));
      narrator.output(message);
      return undefined;
    });
  }

  async function enter(): Promise<string> {
    narrator.scene(
      'Deploy: an ordinary DaemonSet',
      'An ordinary DaemonSet is admitted, and its pod runs. In the namespace "billing" next to it a ledger runs as well.',
    );
    await step('admit-daemonset', async () => {
      admitted(await stage.create(cast.nodeMetrics));
      admitted(await stage.create(cast.neighbour));
      return undefined;
    });
    let pod = '';
    await step('pod-running', async () => {
      pod = await stage.runningPod(ATTACKED, 'node-metrics');
      await stage.runningPod(NEIGHBOUR, 'ledger');
      return `${ATTACKED}/${pod}`;
    });
    return pod;
  }

  async function runtimeGate(pod: string): Promise<{ incident: Incident; quarantine: Quarantine }> {
    narrator.scene(
      'Run: the attack',
      'A hole in the application: a shell in the pod downloads a file, names it like a kernel thread and starts it.\n' +
        'Its pool is in a file, so no argument tells. It opens a connection to an odd port and logs in.',
    );
    zero = performance.now();
    await step('attack', async () => {
      await stage.attack(ATTACKED, pod);
      return undefined;
    });
    let incident: Incident | undefined;
    await step('detected', async () => {
      incident = await stage.incident(ATTACKED);
      const detection = incident.status?.detections[0];
      if (!detection) throw new Error('the incident holds no detection');
      narrator.output(
        [
          `rule        ${detection.rule} (${detection.severity}, confidence ${detection.confidence})`,
          `process     ${detection.process.exe}  ${detection.process.argv.join(' ')}`,
          `ancestors   ${detection.process.ancestors.map((ancestor) => ancestor.exe).join(' <- ') || 'none'}`,
          `sha256      ${detection.process.sha256 ?? 'gone before it could be read'}`,
          `container   ${detection.container?.namespace}/${detection.container?.pod}`,
        ].join('\n'),
      );
      if (detection.container?.pod !== pod) throw new Error('the detection names another pod');
      return incident.metadata.name;
    });
    let quarantine: Quarantine | undefined;
    await step('quarantined', async () => {
      quarantine = await stage.quarantine(ATTACKED);
      const bans = quarantine.spec.bans.map((ban) => `${ban.facet.padEnd(10)} ${ban.value}`);
      narrator.output(
        [`namespace "${ATTACKED}" is contained; banned in every namespace:`, ...bans].join('\n'),
      );
      return quarantine.metadata.name;
    });
    if (stage.sensor === 'replay') {
      narrator.output('With eBPF the pod would now be cut off from its pool; a recording cuts nothing.');
    } else {
      await step('egress-cut', async () => {
        const silent = await silence();
        return `pool: 0 bytes in ${SILENCE_MS} ms; the neighbour: ${silent.neighbour} bytes`;
      });
    }
    return { incident: incident as Incident, quarantine: quarantine as Quarantine };
  }

  /** Waits until the pool has heard nothing for a while although the neighbour is still talking. */
  async function silence(): Promise<Traffic> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      const before = await stage.traffic();
      await pause(SILENCE_MS);
      const after = await stage.traffic();
      const passed = { pool: after.pool - before.pool, neighbour: after.neighbour - before.neighbour };
      if (passed.neighbour === 0) throw new Error('the innocent neighbour was cut off as well');
      if (passed.pool === 0 && before.pool > 0) return passed;
      if (performance.now() > deadline) throw new Error(`the pool still receives: ${passed.pool} bytes`);
    }
  }

  async function respawnGate(pod: string, incident: Incident, quarantine: Quarantine): Promise<void> {
    narrator.scene(
      'Respawn: what one gate learned, the other denies',
      'The pod is deleted. The DaemonSet controller wants it back, the attacker wants in, and a copy comes elsewhere.',
    );
    await step('exec-denied', async () => {
      const message = refusal(await stage.exec(ATTACKED, pod, ['sh']));
      narrator.output(message);
      mentions(message, incident.metadata.name);
      return undefined;
    });
    await step('respawn-denied', async () => {
      const killed = new Date();
      await stage.deletePod(ATTACKED, pod);
      const message = await stage.respawnRefusal(ATTACKED, 'node-metrics', killed);
      narrator.output(message);
      mentions(message, incident.metadata.name);
      return undefined;
    });
    await step('copycat-denied', async () => {
      const message = refusal(await stage.create(cast.copycat));
      narrator.output(message);
      mentions(message, quarantine.metadata.name);
      return undefined;
    });
  }

  async function respond({ metadata }: Incident): Promise<void> {
    const name = metadata.name ?? '';
    narrator.scene(
      'Respond: six steps',
      'What only looks is done already. What destroys waits for a human; the one on call says yes:\n' +
        `kubectl kubesentry approve ${name} terminate revoke`,
    );
    await step('confirmed', async () => {
      const { status } = await stage.afterStep(ATTACKED, 'wayIn');
      narrator.output(stepLines(status, ['confirm', 'blastRadius', 'wayIn']));
      return undefined;
    });
    await step('terminated', async () => {
      await stage.approve(name, ['terminate', 'revoke']);
      const { status } = await stage.afterStep(ATTACKED, 'terminate');
      narrator.output(stepLines(status, ['terminate']));
      return undefined;
    });
    await step('revoked', async () => {
      const { status } = await stage.afterStep(ATTACKED, 'revoke');
      narrator.output(stepLines(status, ['revoke']));
      return undefined;
    });
    await step('reported', async () => {
      const { status } = await stage.afterStep(ATTACKED, 'report');
      narrator.output(timelineLines(status));
      const report = await stage.report(name);
      for (const source of ['runtime', 'admission', 'response', 'operator']) {
        if (!report.includes(`| ${source} |`)) throw new Error(`the timeline lacks what ${source} saw`);
      }
      return `kubectl kubesentry report ${name} -o html`;
    });
  }

  async function release(quarantine: Quarantine): Promise<void> {
    narrator.scene(
      'Release',
      'The hole is closed. One command lifts the quarantine; the repaired DaemonSet is deployed as ever.',
    );
    await step('released', async () => {
      await stage.release(quarantine);
      const labels = await stage.namespaceLabels(ATTACKED);
      if ('kubesentry.io/quarantine' in labels) throw new Error('the namespace still carries the label');
      return undefined;
    });
    await step('pod-back', async () => {
      admitted(await stage.create(cast.nodeMetrics));
      return `${ATTACKED}/${await stage.runningPod(ATTACKED, 'node-metrics')}`;
    });
  }
}

function timelineLines(status: Incident['status']): string {
  return (status?.timeline ?? [])
    .map(
      ({ time, source, message }) =>
        `${time.slice('YYYY-MM-DDT'.length)} ${source.padEnd(9)} ${message.slice(0, LONGEST)}`,
    )
    .join('\n');
}

function stepLines(status: Incident['status'], names: readonly PlaybookStep[]): string {
  return names
    .flatMap((name) => status?.steps?.find(({ step }) => step === name) ?? [])
    .flatMap(({ step, message, evidence }) => [
      `${step.padEnd(12)} ${message.slice(0, LONGEST)}`,
      ...evidence.map((line) => `${' '.repeat(13)}${line.slice(0, LONGEST)}`),
    ])
    .join('\n');
}

class StoryEnded extends Error {}

function refusal(answer: Answer): string {
  if (answer.admitted) throw new Error('it was admitted');
  return answer.message;
}

function admitted(answer: Answer): void {
  if (!answer.admitted) throw new Error(`it was refused: ${answer.message}`);
}

function mentions(message: string, name: string | undefined): void {
  if (!name || !message.includes(name)) throw new Error(`the message does not name ${name}: ${message}`);
}
