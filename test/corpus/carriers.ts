/** Ways in which a Kubernetes object carries a command. Each takes an argv and returns an object. */
export type Carrier = (argv: readonly string[], image?: string) => object;

const meta = { name: 'worker', namespace: 'apps' };
const container = (argv: readonly string[], image = 'registry.example.com/team/app:1.4.2') => ({
  name: 'main',
  image,
  ...(argv.length === 0 ? {} : { command: [argv[0]], args: argv.slice(1) }),
});
const pod = (spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: meta, spec });
const template = (spec: object) => ({ metadata: { labels: { app: 'worker' } }, spec });
const idle = { name: 'idle', image: 'registry.k8s.io/pause:3.10' };

export const CARRIERS: Record<string, Carrier> = {
  pod: (argv, image) => pod({ containers: [container(argv, image)] }),
  'pod with everything in command': (argv, image) =>
    pod({ containers: [{ name: 'main', image: image ?? 'alpine', command: argv }] }),
  'deployment, second container': (argv, image) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta,
    spec: { template: template({ containers: [idle, container(argv, image)] }) },
  }),
  'privileged daemonset': (argv, image) => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: meta,
    spec: {
      template: template({
        hostPID: true,
        hostNetwork: true,
        tolerations: [{ operator: 'Exists' }],
        containers: [{ ...container(argv, image), securityContext: { privileged: true } }],
      }),
    },
  }),
  cronjob: (argv, image) => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: meta,
    spec: {
      schedule: '@hourly',
      jobTemplate: { spec: { template: template({ containers: [container(argv, image)] }) } },
    },
  }),
  'init container': (argv, image) => pod({ initContainers: [container(argv, image)], containers: [idle] }),
  'ephemeral container': (argv, image) =>
    pod({ containers: [idle], ephemeralContainers: [container(argv, image)] }),
  'postStart hook': (argv) =>
    pod({ containers: [{ ...idle, lifecycle: { postStart: { exec: { command: argv } } } }] }),
  'liveness probe': (argv) => pod({ containers: [{ ...idle, livenessProbe: { exec: { command: argv } } }] }),
  'argo workflow': (argv, image) => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Workflow',
    metadata: { generateName: 'w-' },
    spec: { entrypoint: 'main', templates: [{ name: 'main', container: container(argv, image) }] },
  }),
  'custom resource around a pod template': (argv, image) => ({
    apiVersion: 'example.com/v1',
    kind: 'Fleet',
    metadata: meta,
    spec: { groups: [{ workload: { podTemplate: template({ containers: [container(argv, image)] }) } }] },
  }),
};

/** Carriers of a shell script rather than an argv. */
export const SCRIPT_CARRIERS: Record<string, (script: string) => object> = {
  'sh -c': (script) => CARRIERS.pod?.(['sh', '-c', script]) as object,
  'bash -ec in a daemonset': (script) =>
    CARRIERS['privileged daemonset']?.(['/bin/bash', '-ec', script]) as object,
  'postStart hook': (script) => CARRIERS['postStart hook']?.(['/bin/sh', '-c', script]) as object,
  cronjob: (script) => CARRIERS.cronjob?.(['sh', '-c', script]) as object,
  'tekton step': (script) => ({
    apiVersion: 'tekton.dev/v1',
    kind: 'Task',
    metadata: meta,
    spec: { steps: [{ name: 's', image: 'alpine', script: `#!/bin/sh\n${script}` }] },
  }),
  'script in a ConfigMap': (script) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: meta,
    data: { 'run.sh': `#!/bin/sh\nset -e\n${script}\n` },
  }),
  'variable that is evaluated': (script) =>
    pod({
      containers: [
        {
          name: 'main',
          image: 'alpine',
          command: ['sh', '-c', 'eval "$BOOT"'],
          env: [{ name: 'BOOT', value: script }],
        },
      ],
    }),
  'kubelet expansion': (script) =>
    pod({
      containers: [
        {
          name: 'main',
          image: 'alpine',
          command: ['sh', '-c', '$(BOOT)'],
          env: [{ name: 'BOOT', value: script }],
        },
      ],
    }),
};

/** Carriers that hide a script from whoever reads it; only malicious cases use them. */
export const DISGUISES: Record<string, (script: string) => object> = {
  base64: (script) => SCRIPT_CARRIERS['sh -c']?.(`echo ${encode(script)} | base64 -d | sh`) as object,
  'base64 in a variable': (script) =>
    pod({
      containers: [
        {
          name: 'main',
          image: 'alpine',
          command: ['sh', '-c', 'echo $P | base64 -d | bash'],
          env: [{ name: 'P', value: encode(script) }],
        },
      ],
    }),
  python: (script) =>
    CARRIERS.pod?.(['python3', '-c', `import os\nos.system(${JSON.stringify(script)})`]) as object,
  'python, base64': (script) =>
    CARRIERS.pod?.([
      'python3',
      '-c',
      `import base64,subprocess;subprocess.call(base64.b64decode("${encode(script)}"),shell=True)`,
    ]) as object,
  'here-document': (script) =>
    SCRIPT_CARRIERS['sh -c']?.(`cat <<'DONE' > /opt/r.sh\n${script}\nDONE\nsh /opt/r.sh`) as object,
  'host namespaces': (script) =>
    CARRIERS['privileged daemonset']?.([
      'nsenter',
      '-t',
      '1',
      '-m',
      '-u',
      '-i',
      '-n',
      '--',
      'sh',
      '-c',
      script,
    ]) as object,
  Secret: (script) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: meta,
    data: { 'entrypoint.sh': encode(`#!/bin/bash\n${script}\n`) },
  }),
};

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
