import type { Docket } from './docket.ts';
import type { PodPart } from './pod-parts.ts';
import type { RuleId } from './rules.ts';
import { isRecord, listOf, textOf } from './shape.ts';
import type { WorkloadView } from './workload.ts';

/** Facts that many good workloads share with miners. */
interface PostureView {
  path: string;
  everywhere: boolean;
  hostNamespaces: boolean;
  hostRoot: boolean;
  msrDevice: boolean;
  lowPriority: boolean;
}

/** Reports what miners share with many good workloads. It only adds to other findings; see verdict.ts. */
export function judgePosture(view: WorkloadView, docket: Docket): void {
  for (const pod of view.pods.map(postureOf)) {
    const note = (is: boolean, rule: RuleId, message: string) => {
      if (is) docket.report(rule, pod.path, message);
    };
    note(pod.everywhere, 'posture-everywhere', 'It tolerates every taint, so that it runs on every node.');
    note(pod.hostNamespaces, 'posture-host-namespaces', 'It shares processes, network or IPC with the node.');
    note(pod.hostRoot, 'posture-host-root', 'It mounts the root of the node.');
    note(pod.msrDevice, 'posture-msr-device', 'It mounts the MSR devices of the node.');
    note(pod.lowPriority, 'posture-low-priority', 'It has a negative priority.');
  }
  for (const { path, privileged, cpuLimited, hugePages } of view.containers) {
    if (privileged) docket.report('posture-privileged', path, 'It is privileged.');
    if (!cpuLimited) docket.report('posture-unlimited', path, 'It has no CPU limit.');
    if (hugePages) docket.report('posture-huge-pages', path, 'It asks for huge pages.');
  }
}

function postureOf({ path, node }: PodPart): PostureView {
  const volumes = listOf(node.volumes).filter(isRecord);
  const hostPaths = volumes.map(({ hostPath }) => (isRecord(hostPath) ? textOf(hostPath.path) : ''));
  const tolerations = listOf(node.tolerations).filter(isRecord);
  return {
    path,
    everywhere: tolerations.some(({ operator, key }) => operator === 'Exists' && (key ?? '') === ''),
    hostNamespaces: node.hostPID === true || node.hostNetwork === true || node.hostIPC === true,
    hostRoot: hostPaths.includes('/'),
    msrDevice: hostPaths.some((hostPath) => /^\/dev(\/cpu)?\/?$/.test(hostPath)),
    lowPriority: typeof node.priority === 'number' && node.priority < 0,
  };
}
