import { manifestsIn } from './manifest-text.ts';
import { isRecord, type JsonRecord, listOf, textOf } from './shape.ts';
import type { Machine } from './shell/machine.ts';

/** Whether a file is one of Docker Compose, by its name: compose.yaml, docker-compose.override.yml. */
export function isCompose(key: string): boolean {
  return /(^|[-_.])compose(\.[\w-]+)?\.ya?ml$/i.test(key);
}

/** Judges what `docker compose up` would start (compose-spec, services). */
export function judgeCompose(text: string, path: string, machine: Machine): void {
  if (!machine.docket.spend(4 * text.length, path)) return;
  const onTooDeep = () => machine.docket.report('analysis-limit', path, 'It nests too deep to be read.');
  for (const { services } of manifestsIn(text, onTooDeep)) {
    const containers = Object.values(isRecord(services) ? services : {}).filter(isRecord);
    machine.deploy?.({ kind: 'Pod', spec: { containers: containers.map(containerOf) } }, path);
  }
}

function containerOf({ image, entrypoint, command, environment }: JsonRecord): JsonRecord {
  return {
    name: 'service',
    image: textOf(image),
    command: wordsOf(entrypoint),
    args: wordsOf(command),
    env: Array.isArray(environment) ? environment.map(variableOf) : environment,
  };
}

/** One string is split into words as a shell would. */
function wordsOf(value: unknown): unknown {
  return typeof value === 'string' ? value.split(/\s+/, 256).filter(Boolean) : listOf(value);
}

function variableOf(entry: unknown): JsonRecord {
  const text = textOf(entry);
  const equals = text.indexOf('=');
  return { name: text.slice(0, Math.max(equals, 0)), value: text.slice(equals + 1) };
}
