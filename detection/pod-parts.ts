import { manifestsIn } from './manifest-text.ts';
import { assignedContainer, patchedContainer } from './patch.ts';
import { isRecord, isWords, type JsonRecord, listOf, textOf, wordsIn } from './shape.ts';

/** A pod spec, or one container, somewhere in an object. */
export interface PodPart {
  kind: 'pod' | 'container';
  path: string;
  node: JsonRecord;
  /** What has the pod's metadata: the pod or the template around it. */
  pod: JsonRecord;
}

/** A file that a pod has from what its own object says. */
export interface PodFile {
  /** Of the volume. */
  path: string;
  name: string;
  text: string;
}

/** In the order in which they run: what one leaves in a file, the next may start. */
const CONTAINER_LISTS: ReadonlySet<string> = new Set(['initContainers', 'containers', 'ephemeralContainers']);

/**
 * Where the pod spec is in kinds whose schema the API server holds to. Nothing of them runs but what is there, so that
 * the rest of the object, whatever it says, need not be looked at.
 */
const NATIVE: ReadonlyMap<string, { apiVersion: string; steps: readonly string[] }> = new Map(
  Object.entries({
    Pod: { apiVersion: 'v1', steps: ['spec'] },
    PodTemplate: { apiVersion: 'v1', steps: ['template', 'spec'] },
    ReplicationController: { apiVersion: 'v1', steps: ['spec', 'template', 'spec'] },
    DaemonSet: { apiVersion: 'apps/v1', steps: ['spec', 'template', 'spec'] },
    Deployment: { apiVersion: 'apps/v1', steps: ['spec', 'template', 'spec'] },
    ReplicaSet: { apiVersion: 'apps/v1', steps: ['spec', 'template', 'spec'] },
    StatefulSet: { apiVersion: 'apps/v1', steps: ['spec', 'template', 'spec'] },
    Job: { apiVersion: 'batch/v1', steps: ['spec', 'template', 'spec'] },
    CronJob: { apiVersion: 'batch/v1', steps: ['spec', 'jobTemplate', 'spec', 'template', 'spec'] },
  }),
);

/** Fields that hold no workload of this object, but may hold large or foreign text. */
const SKIPPED: ReadonlySet<string> = new Set([
  'managedFields',
  'status',
  'openAPIV3Schema',
  'ownerReferences',
  'labels',
  'annotations',
]);

/** Fields that hold a script outside of containers: KubeVirt, Karpenter, Cluster API, OpenShift builds, CloudNativePG. */
const SCRIPT_FIELDS: ReadonlySet<string> = new Set([
  'userData',
  'userDataBase64',
  'user-data',
  'userdata',
  'user_data',
  'cloudInit',
  'cloudConfig',
  'dockerfile',
  'postInitSQL',
  'postInitApplicationSQL',
  'preKubeadmCommands',
  'postKubeadmCommands',
  'bootcmd',
  'runcmd',
  'startupScript',
  'entrypoint',
  'fprocess',
]);

/** Fields that hold the values of a chart, or a patch of Kustomize, as text. */
const VALUES_FIELDS: ReadonlySet<string> = new Set(['values', 'valuesContent', 'patch', 'patchesJson6902']);

/** So many texts of an object are read as values of a chart. */
const VALUES_LIMIT = 4;

/** Fields that hold words of a command where no container is around them. */
const COMMAND_FIELDS: ReadonlySet<string> = new Set(['command', 'arguments', 'entrypoint', 'fromList']);

/** The same in values of charts, which name them as they like; elsewhere they may be what a policy refuses. */
const VALUES_COMMANDS: ReadonlySet<string> = new Set([
  'args',
  'extraArgs',
  'extraArguments',
  'additionalArgs',
]);

/** Within the values of a chart. */
const IN_VALUES = /(?:^|\.)values(?:Object|Content)?\b/;

/** Other names of fields that operators have for a script; shorter text is none. */
const SCRIPT_NAME = /(?:script|command|cmd|code|function)s?$/i;
const SCRIPT_LENGTH = 24;

/** Fields for people to read. */
const PROSE_NAME = /description|message|summary|notes|readme|documentation/i;

/** Text that fetches something or makes containers, units of systemd, pools, and data in place of an address: settings that an operator writes. */
const SETTINGS_SIGN =
  /\b(?:curl|wget|ExecStart)\b|["']?\bpools["']?\s*[:=]|^data:[^,]{0,128},|\bimage\s*:\s*["']/;

/** Annotations that hold what a controller runs: snippets of ingress-nginx, hooks of Velero, commands of Vault's agent. */
const RUN_ANNOTATION = /(?:command|snippet|script)(?:[.-][\w.-]{1,63})?$/i;

const DEPTH_LIMIT = 24;
const NODE_LIMIT = 20_000;

/** Finds what runs in an object of any kind, within bounds. */
export function findPodParts(object: JsonRecord): {
  parts: PodPart[];
  scripts: { path: string; text: string }[];
  /** Text that may hold commands among other things. */
  settings: { path: string; text: string }[];
  /** Images in the parts that values of charts have them in, and the names of charts. */
  images: { path: string; image: string }[];
  /** Commands, or arguments of what an operator starts, outside of containers: Spark, hooks of operators. */
  commands: { path: string; words: string[] }[];
  /** Annotations and labels that the pod reads as files. */
  files: PodFile[];
  malformed: string[];
  truncated: boolean;
} {
  const parts: PodPart[] = [];
  const images: { path: string; image: string }[] = [];
  const commands: { path: string; words: string[] }[] = [];
  const files: PodFile[] = [];
  const scripts: { path: string; text: string }[] = [];
  const settings: { path: string; text: string }[] = [];
  // The files of a ConfigMap are judged by their names.
  const isSettings = object.kind !== 'ConfigMap' && object.kind !== 'Secret';
  const malformed: string[] = [];
  let nodes = 0;
  let texts = 0;
  let truncated = false;

  const addPod = (node: JsonRecord, path: string, pod: JsonRecord): void => {
    parts.push({ kind: 'pod', path, node, pod });
    // A volume may be made of an image: what is in it can be started as well.
    const volumes = listOf(node.volumes);
    for (let index = 0; index < volumes.length; index++) {
      const volume = volumes[index];
      if (!isRecord(volume)) continue;
      const image = isRecord(volume.image) ? textOf(volume.image.reference) : '';
      if (image !== '') images.push({ path: `${path}.volumes[${index}].image.reference`, image });
      if ('downwardAPI' in volume || 'projected' in volume)
        addDownwardFiles(volume, pod, `${path}.volumes[${index}]`, files);
    }
  };

  const addContainer = (node: JsonRecord | undefined, path: string, pod: JsonRecord): void => {
    if (node) parts.push({ kind: 'container', path, node, pod });
  };

  const visit = (
    value: object,
    path: string,
    depth: number,
    around: JsonRecord,
    inContainers: boolean,
  ): void => {
    if (depth > DEPTH_LIMIT || ++nodes > NODE_LIMIT) {
      truncated = true;
      return;
    }
    if (Array.isArray(value)) {
      if (isRecord(value[0]) && 'op' in value[0]) addContainer(patchedContainer(value), path, around);
      for (let index = 0; index < value.length; index++) {
        const item: unknown = value[index];
        if (isObject(item)) visit(item, `${path}[${index}]`, depth + 1, around, inContainers);
        if (inContainers && !isRecord(item)) malformed.push(`${path}[${index}]`);
      }
      return;
    }
    const node = value as JsonRecord;
    if (inContainers ? 'image' in node || 'name' in node : looksLikeContainer(node)) {
      parts.push({ kind: 'container', path, node, pod: around });
      // Charts have the image of a container in parts.
      const image = isRecord(node.image) ? chartImage(node.image, 'image') : undefined;
      if (image !== undefined) images.push({ path: `${path}.image`, image });
      return;
    }
    if ('containers' in node || 'initContainers' in node || 'ephemeralContainers' in node)
      addPod(node, path, around);
    if ('location' in node) addContainer(assignedContainer(node), path, around);
    const values = valuesContainer(node);
    addContainer(values, path, around);
    const image = textOf(node.image) || chartImage(node, path);
    if (image !== undefined) images.push({ path, image });
    // The template around a pod spec has its metadata.
    const next = isRecord(node.spec) && isRecord(node.metadata) ? node : around;
    for (const key of Object.keys(node)) {
      const child = node[key];
      const isList = CONTAINER_LISTS.has(key);
      const isText = isSettings && typeof child === 'string' && child.length >= SCRIPT_LENGTH;
      const isScript = SCRIPT_FIELDS.has(key) || (isText && SCRIPT_NAME.test(key));
      const isCommand = COMMAND_FIELDS.has(key) || (VALUES_COMMANDS.has(key) && IN_VALUES.test(path));
      if (isCommand && isWords(child)) {
        if (!values?.command && !values?.args) commands.push({ path: `${path}.${key}`, words: child });
        continue;
      }
      if (key === 'helm' && isRecord(child)) {
        const words = listOf(child.parameters).flatMap(helmOption);
        if (words.length > 0) commands.push({ path: `${path}.helm.parameters`, words: ['helm', ...words] });
      }
      if (key === 'kustomize' && isRecord(child)) {
        for (const image of listOf(child.images))
          images.push({ path: `${path}.kustomize.images`, image: textOf(image).replace(/^.*=/, '') });
      }
      if (key === 'chart') {
        const image = isRecord(child) ? textOf(child.name) : textOf(child);
        if (image !== '') images.push({ path: `${path}.chart`, image });
      }
      // Values of a chart, or an operator's own fields, from which it writes the file of settings.
      if (key === 'pools' && isSettings && Array.isArray(child) && isRecord(child[0]))
        settings.push({ path: path === '' ? key : `${path}.${key}`, text: JSON.stringify({ ...node }) });
      if (VALUES_FIELDS.has(key) && typeof child === 'string' && texts++ < VALUES_LIMIT) {
        const onTooDeep = () => {
          truncated = true;
        };
        for (const manifest of manifestsIn(child, onTooDeep))
          visit(manifest, `${path}.${key}`, depth + 1, around, false);
      }
      if (isText && !isScript && SETTINGS_SIGN.test(child) && !PROSE_NAME.test(key))
        settings.push({ path: path === '' ? key : `${path}.${key}`, text: child });
      // Most fields are plain values: they cost nothing more than these lines.
      if (!isObject(child) && !isScript && !isList) continue;
      if (SKIPPED.has(key)) continue;
      const at = path === '' ? key : `${path}.${key}`;
      if (isScript) scripts.push({ path: at, text: scriptOf(child) });
      // Charts have containers by name.
      const isOdd = isList && !inContainers && !IN_VALUES.test(path);
      if (isOdd && !Array.isArray(child) && child !== null && child !== undefined) malformed.push(at);
      if (isObject(child)) visit(child, at, depth + 1, next, inContainers || isList);
    }
  };

  const readAnnotations = (metadata: unknown, at: string): void => {
    const annotations = isRecord(metadata) ? metadata.annotations : undefined;
    if (!isRecord(annotations)) return;
    for (const key of Object.keys(annotations)) {
      if (!RUN_ANNOTATION.test(key)) continue;
      const path = `${at}metadata.annotations[${JSON.stringify(key)}]`;
      const text = textOf(annotations[key]);
      const words = wordsIn(text);
      if (words) commands.push({ path, words });
      else if (key.includes('snippet')) settings.push({ path, text });
      else scripts.push({ path, text });
    }
  };
  readAnnotations(object.metadata, '');
  const native = nativePod(object);
  if (native) {
    const { node, path, pod } = native;
    if (pod !== object) readAnnotations(pod.metadata, path.replace(/spec$/, ''));
    addPod(node, path, pod);
    for (const key of CONTAINER_LISTS) {
      const list = node[key];
      if (list === undefined || list === null) continue;
      if (!Array.isArray(list)) malformed.push(`${path}.${key}`);
      if (isObject(list)) visit(list, `${path}.${key}`, 0, pod, true);
    }
  } else visit(object, '', 0, object, false);
  return { parts, scripts, settings, images, commands, files, malformed, truncated };
}

/** What a volume of the downward API shows of the pod's annotations and labels, alone or among projected sources. */
function addDownwardFiles(volume: JsonRecord, pod: JsonRecord, path: string, files: PodFile[]): void {
  const { downwardAPI, projected } = volume;
  if (isRecord(downwardAPI)) {
    for (const item of listOf(downwardAPI.items)) {
      if (!isRecord(item)) continue;
      const text = fieldValue(item, pod);
      if (text) files.push({ path, name: textOf(item.path), text });
    }
  }
  if (!isRecord(projected)) return;
  for (const source of listOf(projected.sources)) {
    if (isRecord(source) && 'downwardAPI' in source)
      addDownwardFiles({ downwardAPI: source.downwardAPI }, pod, path, files);
  }
}

/** Downward API: an annotation or a label can carry a command line into the environment, or a file into a volume. */
export function fieldValue(valueFrom: unknown, pod: JsonRecord | undefined): string | undefined {
  const reference =
    isRecord(valueFrom) && isRecord(valueFrom.fieldRef) ? textOf(valueFrom.fieldRef.fieldPath) : '';
  if (!reference.endsWith("']")) return undefined;
  const [, field, key] = /^metadata\.(annotations|labels)\['([^']+)'\]$/.exec(reference) ?? [];
  const metadata = pod && isRecord(pod.metadata) ? pod.metadata : {};
  const values = field === undefined ? undefined : metadata[field];
  return isRecord(values) && key !== undefined ? textOf(values[key]) : undefined;
}

/** Undefined for other kinds, and for what has no such shape as the API server takes. */
function nativePod(object: JsonRecord): Omit<PodPart, 'kind'> | undefined {
  const { apiVersion, steps } = NATIVE.get(textOf(object.kind)) ?? {};
  if (steps === undefined || object.apiVersion !== apiVersion) return undefined;
  let [node, pod] = [object, object];
  for (const step of steps) {
    const inner = node[step];
    if (!isRecord(inner)) return undefined;
    if (step === 'spec' && isRecord(node.metadata)) pod = node;
    node = inner;
  }
  return { node, path: steps.join('.'), pod };
}

/**
 * A container as values of charts have it: the image in parts, and what runs beside it; or the variables that an
 * operator gives to a container of its own. The image is read by itself.
 */
function valuesContainer(node: JsonRecord): JsonRecord | undefined {
  const { resources } = node;
  const env = node.env ?? node.extraEnv ?? node.extraEnvVars;
  if (!isRecord(node.image) || !('repository' in node.image)) {
    const isEnv = Array.isArray(env) && isRecord(env[0]) && 'name' in env[0];
    return isEnv && node.image === undefined ? { env, resources } : undefined;
  }
  const { command } = node;
  const args = node.args ?? node.extraArgs;
  if (!isWords(command) && !isWords(args) && !isObject(env)) return undefined;
  return { command, args, env, resources };
}

/** `repository: xmrig/xmrig` in an image or beside a tag, a digest or a pull policy, or one such value by its name. */
function chartImage(node: JsonRecord, path: string): string | undefined {
  const { repository, tag, name, value, url, newName } = node;
  // The images of a Kustomization.
  if (typeof newName === 'string') return newName;
  if (typeof url === 'string' && url.startsWith('oci://')) return url.slice('oci://'.length);
  if (typeof value === 'string' && /(^|\.)(image|repository)$/.test(textOf(name))) return value;
  if (typeof repository !== 'string') return undefined;
  const isImage = 'tag' in node || 'digest' in node || 'pullPolicy' in node || 'imagePullPolicy' in node;
  if (!isImage && !/(^|\.)image$/i.test(path)) return undefined;
  return textOf(tag) === '' ? repository : `${repository}:${textOf(tag)}`;
}

/** A parameter of Argo CD's, which hands it to helm as an option. */
function helmOption(parameter: unknown): string[] {
  return isRecord(parameter) ? ['--set-literal', `${textOf(parameter.name)}=${textOf(parameter.value)}`] : [];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function scriptOf(value: unknown): string {
  return Array.isArray(value) ? value.map(textOf).join('\n') : textOf(value);
}

function looksLikeContainer(node: JsonRecord): boolean {
  if (typeof node.image === 'string' && textOf(node.image) !== '') {
    return (
      'command' in node ||
      'args' in node ||
      'script' in node ||
      'source' in node ||
      'env' in node ||
      'name' in node
    );
  }
  return (
    ('command' in node || 'args' in node || 'script' in node) &&
    'name' in node &&
    ('resources' in node || 'env' in node)
  );
}
