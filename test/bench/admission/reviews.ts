import { randomUUID } from 'node:crypto';

/** One AdmissionReview as the API server sends it, and what it should be answered. */
export interface Review {
  body: Buffer;
  allowed: boolean;
}

/**
 * What a cluster sends in a day, by share: 70 % pods, 20 % templates of owners, 5 % updates with the old object, 5 %
 * miners; every fourth container starts with a shell script. No two are equal: names, uids, images, labels and arguments differ, so that no memory of earlier ones helps.
 */
export function mixedReview(index: number): Review {
  const turn = index % 20;
  if (turn === 7) return review('CREATE', daemonSet(index, miner(index)), false);
  if (turn === 13) return review('UPDATE', daemonSet(index, service(index)), true);
  if (turn % 5 === 4) return review('CREATE', daemonSet(index, service(index)), true);
  return review('CREATE', pod(index), true);
}

/** The DaemonSet of 3.3 kB with which Gatekeeper and Kyverno were measured (four policies, all allow). */
export function daemonSetReview(index: number): Review {
  return review('CREATE', daemonSet(index, service(index)), true);
}

/** A pod whose annotations make the review about so large. */
export function sizedReview(index: number, bytes: number): Review {
  const object = pod(index);
  const metadata = object.metadata as { annotations?: Record<string, string> };
  const rest = bytes - review('CREATE', object, true).body.length;
  if (rest > 0) metadata.annotations = { 'example.com/notes': `${index} `.repeat(rest).slice(0, rest) };
  return review('CREATE', object, true);
}

function review(operation: 'CREATE' | 'UPDATE', object: KubernetesObject, allowed: boolean): Review {
  const [group = '', version = ''] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : ['', object.apiVersion];
  const kind = { group, version, kind: object.kind };
  const resource = { group, version, resource: `${object.kind.toLowerCase()}s` };
  const request = {
    uid: randomUUID(),
    kind,
    resource,
    requestKind: kind,
    requestResource: resource,
    name: object.metadata.name,
    namespace: object.metadata.namespace,
    operation,
    userInfo: {
      username: 'system:serviceaccount:kube-system:replicaset-controller',
      uid: randomUUID(),
      groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
    },
    object,
    oldObject: operation === 'UPDATE' ? { ...object, metadata: { ...object.metadata, generation: 1 } } : null,
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kube-controller-manager' },
  };
  const body = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request };
  return { body: Buffer.from(JSON.stringify(body)), allowed };
}

interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; [field: string]: unknown };
  spec: object;
}

const pick = <T>(values: readonly T[], index: number): T => values[index % values.length] as T;

const IMAGES = ['team/api', 'team/worker', 'library/nginx', 'library/redis', 'observability/collector'];

function service(index: number): object {
  const port = 8000 + (index % 1000);
  return {
    name: 'main',
    image: `registry.example.com/${pick(IMAGES, index)}:1.${index % 97}.${index}`,
    ...(index % 4 === 0 ? scripted(index, port) : started(index, port)),
    ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'DATABASE_URL', value: `postgres://app@db-${index % 50}.internal:5432/app` },
      { name: 'RELEASE', value: randomUUID() },
      { name: 'FEATURES', value: 'search,checkout,recommendations' },
    ],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } },
    livenessProbe: { httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' }, periodSeconds: 10 },
    readinessProbe: { exec: { command: ['/app/ready', `--port=${port}`] }, periodSeconds: 5 },
    lifecycle: { preStop: { exec: { command: ['/bin/sleep', '5'] } } },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/app', readOnly: true },
      { name: 'token', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
    ],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
  };
}

function started(index: number, port: number) {
  const args = [
    `--listen=0.0.0.0:${port}`,
    '--shard',
    `${index}`,
    '--log-format',
    'json',
    '--peers',
    `db-${index}:5432`,
  ];
  return { command: ['/app/server'], args };
}

function scripted(index: number, port: number) {
  const script =
    `set -eu; export LISTEN=0.0.0.0:${port}; if [ -f /etc/app/env ]; then . /etc/app/env; fi; ` +
    `exec /app/server --listen "$LISTEN" --shard ${index} --log-format json`;
  return { command: ['/bin/sh', '-c'], args: [script] };
}

function miner(index: number): object {
  return {
    ...service(index),
    image: `registry.example.com/tools/runner:${index}`,
    command: ['/usr/bin/xmrig'],
    args: ['-o', `stratum+tcp://pool-${index}.example.org:3333`, '-u', `worker-${index}`, '--donate-level=1'],
  };
}

function podSpec(index: number, container: object): object {
  return {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: `app-${index % 40}`,
    serviceAccount: `app-${index % 40}`,
    schedulerName: 'default-scheduler',
    securityContext: { fsGroup: 2000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container],
    initContainers: [
      {
        name: 'migrate',
        image: `registry.example.com/${pick(IMAGES, index)}:1.${index % 97}.${index}`,
        command: ['/app/migrate', '--wait', '--timeout=60s'],
        resources: {},
        imagePullPolicy: 'IfNotPresent',
      },
    ],
    tolerations: [
      {
        key: 'node.kubernetes.io/not-ready',
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      },
      {
        key: 'node.kubernetes.io/unreachable',
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: `app-${index % 40}`, defaultMode: 420 } },
      {
        name: 'token',
        projected: {
          sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }],
          defaultMode: 420,
        },
      },
    ],
  };
}

function metadata(index: number, name: string) {
  const app = `app-${index % 200}`;
  return {
    name,
    namespace: `team-${index % 20}`,
    uid: randomUUID(),
    creationTimestamp: new Date().toISOString(),
    labels: {
      'app.kubernetes.io/name': app,
      'app.kubernetes.io/instance': `${app}-${index}`,
      'pod-template-hash': index.toString(36).padStart(10, '0'),
    },
    annotations: { 'checksum/config': randomUUID() },
  };
}

function pod(index: number): KubernetesObject {
  const name = `app-${index % 200}-${index.toString(36)}`;
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: `app-${index % 200}-5d4f`,
    uid: randomUUID(),
    controller: true,
    blockOwnerDeletion: true,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata(index, name), ownerReferences: [owner] },
    spec: podSpec(index, service(index)),
  };
}

function daemonSet(index: number, container: object): KubernetesObject {
  const about = metadata(index, `agent-${index.toString(36)}`);
  const { labels } = about;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: about,
    spec: {
      selector: { matchLabels: labels },
      revisionHistoryLimit: 10,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: { metadata: { creationTimestamp: null, labels }, spec: podSpec(index, container) },
    },
  };
}
