import type { WorkloadRef } from '../api/detection.ts';
import { fieldValue, findPodParts, type PodFile, type PodPart } from './pod-parts.ts';
import { isRecord, type JsonRecord, listOf, stringsOf, textOf } from './shape.ts';

export interface ContainerView {
  /** Path into the object, such as `spec.template.spec.containers[0]`. */
  path: string;
  name: string;
  image: string;
  command: string[];
  args: string[];
  /** Literal values, and annotations and labels of the pod taken over by fieldRef; in order of definition. */
  env: { name: string; value: string; path: string }[];
  /** Commands of lifecycle hooks and probes. */
  hooks: { path: string; command: string[] }[];
  /** Inline script of a Tekton step or an Argo template. */
  script?: { path: string; text: string };
  privileged: boolean;
  cpuLimited: boolean;
  hugePages: boolean;
}

export interface WorkloadView {
  kind: string;
  namespace: string;
  name: string;
  /** The controller among the ownerReferences. Context only: anybody can write one. */
  owner?: WorkloadRef;
  containers: ContainerView[];
  /** Scripts outside of containers: cloud-init user data, boot commands. */
  scripts: { path: string; text: string }[];
  /** Text of other fields that may hold commands. */
  settings: { path: string; text: string }[];
  /** Images, and charts, that no container names. */
  images: { path: string; image: string }[];
  /** Commands outside of containers. */
  commands: { path: string; words: string[] }[];
  /** Files that a pod has from its own annotations. */
  files: PodFile[];
  /** Its pod specs. */
  pods: PodPart[];
  /** Paths of fields that have another type than the API server takes. */
  malformed: string[];
  /** True when the object was too large to be read as a whole. */
  truncated: boolean;
}

/**
 * What an object would run: every container that it holds in whatever kind, found by structure (a list or a map
 * called containers, initContainers or ephemeralContainers, or anything with an image and something to run).
 * Undefined when it holds none.
 */
export function workloadView(object: unknown): WorkloadView | undefined {
  if (!isRecord(object)) return undefined;
  const { parts, scripts, settings, images, commands, files, malformed, truncated } = findPodParts(object);
  const found =
    parts.length + scripts.length + settings.length + images.length + commands.length + malformed.length;
  if (found === 0 && !truncated) return undefined;
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  const owner = ownerOf(metadata);
  const view: WorkloadView = {
    kind: textOf(object.kind),
    namespace: textOf(metadata.namespace),
    name: textOf(metadata.name) || textOf(metadata.generateName),
    ...(owner ? { owner } : {}),
    containers: [],
    scripts,
    settings,
    images,
    commands,
    files,
    pods: [],
    malformed,
    truncated,
  };
  for (const part of parts) {
    if (part.kind === 'pod') view.pods.push(part);
    else view.containers.push(containerOf(part, malformed));
  }
  return view;
}

function ownerOf(metadata: JsonRecord): WorkloadRef | undefined {
  const references = listOf(metadata.ownerReferences).filter(isRecord);
  const controller = references.find((reference) => reference.controller === true);
  return controller && { kind: textOf(controller.kind), name: textOf(controller.name) };
}

function containerOf({ path, node, pod }: PodPart, malformed: string[]): ContainerView {
  const resources = isRecord(node.resources) ? node.resources : {};
  const limits = isRecord(resources.limits) ? resources.limits : {};
  const security = isRecord(node.securityContext) ? node.securityContext : {};
  const script = scriptOf(node, path);
  return {
    path,
    name: textOf(node.name),
    image: textOf(node.image),
    command: stringsOf(node.command, `${path}.command`, malformed),
    args: stringsOf(node.args, `${path}.args`, malformed),
    env: environmentOf(node.env ?? node.environment, path, pod),
    hooks: hooksOf(node, path, malformed),
    ...(script ? { script } : {}),
    privileged: security.privileged === true,
    cpuLimited: limits.cpu !== undefined,
    hugePages: Object.keys(limits).some((name) => name.startsWith('hugepages-')),
  };
}

function scriptOf(node: JsonRecord, path: string): ContainerView['script'] {
  for (const field of ['script', 'source'] as const) {
    const text = textOf(node[field]);
    if (text !== '') return { path: `${path}.${field}`, text };
  }
  // OpenFaaS starts this for each call.
  const text = isRecord(node.environment) ? textOf(node.environment.fprocess) : '';
  return text === '' ? undefined : { path: `${path}.environment.fprocess`, text };
}

function environmentOf(env: unknown, path: string, pod: JsonRecord | undefined): ContainerView['env'] {
  const variables: ContainerView['env'] = [];
  const add = (entry: unknown, at: string | number) => {
    if (!isRecord(entry)) return;
    const value = entry.value === undefined ? fieldValue(entry.valueFrom, pod) : textOf(entry.value);
    if (value === undefined) return;
    const step = typeof at === 'number' ? `[${at}]` : `.${at}`;
    variables.push({ name: textOf(entry.name), value, path: `${path}.env${step}.value` });
  };
  if (isRecord(env)) {
    for (const [name, value] of Object.entries(env)) add(isRecord(value) ? value : { name, value }, name);
  } else listOf(env).forEach(add);
  return variables;
}

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const LIFECYCLE_HOOKS = ['postStart', 'preStop'] as const;

function hooksOf(node: JsonRecord, path: string, malformed: string[]): ContainerView['hooks'] {
  const hooks: ContainerView['hooks'] = [];
  const add = (name: string, holder: unknown) => {
    if (!isRecord(holder) || !isRecord(holder.exec)) return;
    const at = `${path}.${name}.exec.command`;
    hooks.push({ path: at, command: stringsOf(holder.exec.command, at, malformed) });
  };
  for (const name of PROBES) add(name, node[name]);
  const lifecycle = isRecord(node.lifecycle) ? node.lifecycle : {};
  for (const name of LIFECYCLE_HOOKS) add(`lifecycle.${name}`, lifecycle[name]);
  return hooks;
}
