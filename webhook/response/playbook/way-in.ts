import { basename } from 'node:path/posix';
import type { IncidentAttribution } from '../../../api/attribution.ts';
import type { Ancestor, Detection } from '../../../api/detection.ts';
import type { Incident } from '../../../api/incident.ts';
import { findingsOf } from '../../incident/evidence.ts';
import type { Outcome } from './outcome.ts';

/**
 * Programs that serve requests: a shell below one of them was started by a request. By the name of the binary;
 * interpreters serve in most images whose first process they are.
 */
const SERVERS: ReadonlySet<string> = new Set(
  (
    'apache2 caddy catalina.sh gunicorn httpd java jupyter jupyter-lab jupyter-notebook lighttpd mongod mysqld nginx ' +
    'node nodejs php php-cgi php-fpm postgres puma python python3 redis-server ruby sshd tomcat traefik unicorn uwsgi'
  ).split(' '),
);

const SHELLS: ReadonlySet<string> = new Set(['ash', 'bash', 'busybox', 'dash', 'ksh', 'sh', 'zsh']);

/**
 * Step 5: the chain from the miner's exec back to how somebody came in, each hop with what shows it, and what is
 * missing to know more. Pure: from the ancestry that the node saw and from what the audit stream tells.
 */
export function wayIn({ status }: Pick<Incident, 'status'>): Outcome {
  const [best] = status?.detections ?? [];
  if (!status || !best) return { state: 'Failed', message: 'The incident holds no detection.' };
  const { attribution } = status;
  const entry = entryOf(best);
  const evidence = [
    ...chainLines(best),
    ...downloadLines(status.detections),
    `entry: ${entry}`,
    ...hopLines(attribution),
    ...(attribution?.missing ?? [NO_AUDIT]).map((what) => `missing: ${what}`),
  ];
  return { state: 'Done', message: authorOf(attribution) ?? `${capital(entry)}.`, evidence };
}

const NO_AUDIT = 'no audit events reach Kubesentry, so nobody can say who created or entered the pod';

/** From the process upward. */
function chainLines({ id, process, container }: Detection): string[] {
  const chain: Ancestor[] = [process, ...process.ancestors];
  const where = container?.pod ? ` in ${container.namespace}/${container.pod}` : '';
  return chain.map(
    ({ pid, exe, argv }, index) =>
      `${index === 0 ? 'exec' : 'started by'}: ${exe} (pid ${pid})${where}: ${argv.join(' ').slice(0, 512)} [detection ${id}]`,
  );
}

function downloadLines(detections: readonly Detection[]): string[] {
  const found = detections.flatMap((detection) =>
    findingsOf(detection).filter(({ rule }) => rule.includes('download')),
  );
  return [...new Set(found.map(({ message }) => `download: ${message}`))].slice(0, 4);
}

function entryOf({ process }: Detection): string {
  const { ancestors } = process;
  const first = ancestors.at(-1);
  if (!first) {
    return 'the container itself was made to run it (image or manifest), or somebody entered the container';
  }
  const server = ancestors.findLast(({ exe }) => SERVERS.has(nameOf(exe)));
  if (server) {
    const below = ancestors.slice(0, ancestors.indexOf(server));
    const shell = below.some(({ exe }) => SHELLS.has(nameOf(exe)));
    const through = shell ? ', through a shell' : '';
    return `${nameOf(server.exe)} (pid ${server.pid}), which serves requests, was made to start it${through}: look for remote code execution in the application`;
  }
  return SHELLS.has(nameOf(first.exe))
    ? `a shell, ${first.argv.join(' ').slice(0, 256)}: the container's own command, or kubectl exec`
    : `${nameOf(first.exe)}, the first process of the chain, started it`;
}

/** What the audit stream tells, in order of time. */
function hopLines(attribution: IncidentAttribution | undefined): string[] {
  return (attribution?.wayIn ?? [])
    .slice(0, 16)
    .map(
      ({ kind, time, user, address, message, auditID }) =>
        `${kind}: ${time} ${user} from ${address || 'an unknown address'} ${message} [audit ${auditID}]`,
    );
}

function authorOf(attribution: IncidentAttribution | undefined): string | undefined {
  if (!attribution?.creator) return undefined;
  const { user, address, userAgent } = attribution.creator;
  return `${user} from ${address || 'an unknown address'} with ${userAgent} made it (confidence ${attribution.confidence}).`;
}

function nameOf(exe: string): string {
  return basename(exe).replace(/[-\d.]+$/, '');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
