/**
 * `node test/golden/record.ts`, as root on a machine with eBPF and a built Kubernetes (npm run cluster -- build):
 * plays an attack on a real API server and a real kernel and writes down what the webhook and the agent were told.
 */
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Agent, request } from 'undici';
import type { Incident } from '../../api/incident.ts';
import { AGENT_USER, SYSTEM_NAMESPACE, TOKEN_AUDIENCE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { EventView, eachEvent } from '../../bpf/event-view.ts';
import { EVENT } from '../../bpf/events.ts';
import { Programs } from '../../bpf/programs.ts';
import { cgroup2Mount } from '../../demo/embedded/cgroup.ts';
import { openDepot } from '../../demo/embedded/depot.ts';
import { Kubelet } from '../../demo/embedded/kubelet.ts';
import { openSink } from '../../demo/embedded/sink.ts';
import { attackFrom } from '../../demo/stand-in/miner.ts';
import { loadIndicators } from '../../detection/load.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { findHierarchies } from '../../runtime/cgroup-tree.ts';
import { startAgent } from '../../runtime/start.ts';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { webhookConfiguration } from '../../webhook/configuration.ts';
import { stdoutLog } from '../../webhook/log.ts';
import { startWebhook } from '../../webhook/start.ts';
import { startCluster, stopCluster } from '../cluster/cluster.ts';
import { writeKubeconfig } from '../cluster/credentials.ts';
import { eventually } from '../cluster/eventually.ts';
import { must } from '../cluster/install.ts';
import { daemonSet } from '../cluster/response-scene.ts';
import { outcomeOf } from './outcome.ts';
import { type Line, RECORDING } from './recording.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NODE = 'n1';
const TOKEN = 'the-token-of-the-audit-webhook';
const MINE = ['shop', 'media', 'billing'];
/** Where the attacker works; the recording shows it. */
const LAIR = '/tmp/.cache-x';

interface AuditItem {
  objectRef?: { namespace?: string; name?: string; resource?: string };
}

const lines: Line[] = [];
const log = stdoutLog('warn');
const indicators = await loadIndicators();
const certificates = await ephemeralCertificate(['127.0.0.1']);
const closers: (() => unknown)[] = [];

try {
  await stopCluster('golden');
  const { recorder, forwardTo } = await openRecorder();
  const cluster = await startCluster({
    name: 'golden',
    audit: {
      url: `${recorder}/audit`,
      token: TOKEN,
      policy: readFileSync(join(ROOT, 'manifests/audit/policy.yaml'), 'utf8'),
    },
  });
  closers.push(() => cluster.stop());
  const admin = await connectCluster({ kubeconfig: cluster.kubeconfig });
  closers.push(() => admin.close());
  const files = ['namespace', 'crds', 'webhook-rbac', 'agent-rbac'];
  await must(cluster, [
    'apply',
    '--server-side',
    ...files.flatMap((file) => ['-f', join(ROOT, 'manifests', 'base', `${file}.yaml`)]),
  ]);
  await must(cluster, ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
  const { apiVersion, kind, metadata } = webhookConfiguration({ url: recorder });
  await admin.create(KIND.ValidatingWebhookConfiguration, { apiVersion, kind, metadata });
  await admin.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  const room = { cpu: '8', memory: '16Gi', pods: '110' };
  const ready = [{ type: 'Ready', status: 'True' }];
  await admin.patch(
    KIND.Node,
    { name: NODE },
    { status: { allocatable: room, capacity: room, conditions: ready } },
    { subresource: 'status' },
  );
  for (const name of MINE) {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await admin.create(KIND.Namespace, object);
    lines.push({ line: 'object', object });
  }
  const account = { namespace: SYSTEM_NAMESPACE, name: AGENT_USER.split(':').at(-1) as string };
  await must(cluster, ['wait', '--for=create', '-n', 'shop', 'serviceaccount/default', '--timeout=15s']);

  const webhookToken = await admin.createToken(
    { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' },
    { audience: 'https://kubernetes.default.svc', expirationSeconds: 3600 },
  );
  const kubeconfig = join(cluster.folder, 'webhook.kubeconfig');
  const caFile = join(cluster.folder, 'apiserver', 'apiserver.crt');
  writeKubeconfig({ file: kubeconfig, server: cluster.url, caFile, token: webhookToken });
  const ours = await connectCluster({ kubeconfig });
  closers.push(() => ours.close());
  const facts = new SqliteFacts(':memory:', RETENTION);
  const webhook = await startWebhook({
    cluster: ours,
    indicators,
    certificates,
    register: { url: recorder },
    log,
    facts,
    auditToken: async () => TOKEN,
    timeouts: { drain: 0 },
  });
  closers.push(() => webhook.close());
  await webhook.ready;
  forwardTo(webhook.url);

  const mount = cgroup2Mount();
  if (!mount) throw new Error('There is no cgroup v2 hierarchy.');
  const cgroup = '/kubesentry-golden';
  closers.push(recordKernel(cgroup));
  const kubelet = new Kubelet({ cluster: admin, node: NODE, cgroupRoot: join(mount, cgroup), env: {}, log });
  closers.push(() => kubelet.stop());
  const agentPod = await admin.create(KIND.Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...account, name: `${account.name}-${NODE}` },
    spec: {
      nodeName: NODE,
      serviceAccountName: account.name,
      containers: [{ name: 'agent', image: 'agent' }],
    },
  });
  const bound = { name: agentPod.metadata.name as string, uid: agentPod.metadata.uid as string };
  const spool = join(cluster.folder, 'spool');
  mkdirSync(spool);
  const agent = await startAgent({
    node: NODE,
    cluster: admin,
    cgroup,
    indicators,
    log,
    webhook: {
      url: webhook.url,
      ca: async () => webhook.caBundle,
      token: () =>
        admin.createToken(account, { audience: TOKEN_AUDIENCE, expirationSeconds: 600, pod: bound }),
      spool,
    },
  });
  closers.push(() => agent.close());
  kubelet.start();

  const pool = await openSink('{"id":1,"jsonrpc":"2.0","result":{"status":"OK"}}\n');
  const depot = await openDepot(pool.port);
  closers.push(() => Promise.all([pool.close(), depot.close()]));
  rmSync(LAIR, { recursive: true, force: true });
  mkdirSync(LAIR);
  closers.push(() => rmSync(LAIR, { recursive: true, force: true }));

  // Somebody with too many rights gives them to an account, takes its token, and deploys with that.
  await must(cluster, [
    'create',
    'clusterrolebinding',
    'sys-backup',
    '--clusterrole=cluster-admin',
    '--serviceaccount=shop:default',
  ]);
  const token = (await must(cluster, ['create', 'token', 'default', '-n', 'shop'])).trim();
  const curl = new Agent({ allowH2: false, connect: { ca: cluster.ca } });
  closers.push(() => curl.destroy());
  const send = async (object: KubeObject, resource: string) => {
    const { statusCode, body } = await request(
      `${cluster.url}/apis/apps/v1/namespaces/${object.metadata.namespace}/${resource}`,
      {
        method: 'POST',
        dispatcher: curl,
        headers: {
          'user-agent': 'curl/8.5.0',
          'content-type': 'application/json',
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify(object),
      },
    );
    await body.dump();
    return statusCode;
  };
  await send(daemonSet('shop', 'node-tuner', ['sleep', '3600']) as KubeObject, 'daemonsets');
  await send(daemonSet('media', 'log-rotate', ['sleep', '7200']) as KubeObject, 'daemonsets');
  const pod = await eventually('pod', async () => {
    const fieldSelector = `spec.nodeName=${NODE},status.phase=Running`;
    return (await admin.list(KIND.Pod, { namespace: 'shop', fieldSelector })).items[0];
  });
  for (const namespace of ['media', 'shop']) {
    for (const kind of [KIND.DaemonSet, KIND.Pod]) {
      const { items } = await admin.list(kind, { namespace });
      for (const object of items) lines.push({ line: 'object', object: bare(object) });
    }
  }
  kubelet.run(pod.metadata.uid as string, ['sh', '-c', attackFrom(depot.url, LAIR)]);

  const incident = (): Promise<Incident | undefined> =>
    admin.list(KIND.Incident).then(({ items }) => items.find(({ spec }) => spec.namespace === 'shop'));
  await eventually('containment', async () => (await incident())?.status?.phase === 'Contained');
  lines.push({ line: 'contained' });
  await send(daemonSet('shop', 'again', ['sleep', '1']) as KubeObject, 'daemonsets');
  await send(daemonSet('billing', 'copy', ['sleep', '3600']) as KubeObject, 'daemonsets');
  await send(
    daemonSet('billing', 'xmrig', ['xmrig', '-o', 'stratum+tcp://pool.supportxmr.com:3333']) as KubeObject,
    'daemonsets',
  );
  await send(daemonSet('billing', 'innocent', ['serve']) as KubeObject, 'daemonsets');
  await eventually(
    'siblings',
    async () => ((await incident())?.status?.attribution?.siblings.length ?? 0) > 0,
  );
  // The last audit events come in a batch, a second or two late.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  lines.push({ line: 'outcome', outcome: outcomeOf((await incident()) as Incident) });
  // What exists goes first, whenever it was seen.
  const objects = lines.filter(({ line }) => line === 'object');
  const rest = lines.filter(({ line }) => line !== 'object');
  const text = `${[...objects, ...rest].map((line) => JSON.stringify(line)).join('\n')}\n`;
  writeFileSync(RECORDING, text);
  console.log(`${RECORDING}: ${lines.length} lines, ${text.length} bytes`);
} finally {
  for (const close of closers.reverse()) await close();
}
process.exit(0);

/** Answers the API server in the webhook's name, and writes down what is about the attack. */
async function openRecorder() {
  const { cert, key, caBundle } = certificates.current;
  const upstream = new Agent({ connect: { ca: caBundle } });
  let target: string | undefined;
  const server = createServer({ cert, key }, async (incoming, answer) => {
    const body = await buffer(incoming);
    if (target === undefined) {
      answer.writeHead(503).end();
      return;
    }
    const { authorization } = incoming.headers;
    try {
      const response = await request(`${target}${incoming.url}`, {
        method: 'POST',
        dispatcher: upstream,
        body,
        headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      });
      const text = await response.body.text();
      note(incoming.url ?? '', JSON.parse(body.toString()), text);
      answer.writeHead(response.statusCode, { 'content-type': 'application/json' }).end(text);
    } catch {
      // The webhook is gone at the end.
      answer.writeHead(503).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  closers.push(() => upstream.destroy());
  const recorder = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    recorder,
    forwardTo: (url: string) => {
      target = url;
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of two kinds, looked into once.
function note(path: string, body: any, answer: string): void {
  if (path.startsWith('/audit')) {
    const items = (body.items as AuditItem[]).filter(({ objectRef = {} }) => {
      const { namespace = '', name, resource = '' } = objectRef;
      // The attacker uses the administrator's credential: what else that one did belongs to the story.
      const isTheirs = namespace === SYSTEM_NAMESPACE && ['serviceaccounts', 'pods'].includes(resource);
      return MINE.includes(namespace) || name === 'sys-backup' || isTheirs;
    });
    if (items.length > 0) lines.push({ line: 'audit', items });
    return;
  }
  const { kind, namespace, subResource } = body.request;
  if (!MINE.includes(namespace) || subResource || !['DaemonSet', 'Pod'].includes(kind.kind)) return;
  const { allowed, status } = JSON.parse(answer).response;
  lines.push({ line: 'review', review: body, allowed, message: status?.message ?? '' });
}

/** Every event of the cgroups below `cgroup`, as the ring buffer had it. Answers how to stop. */
function recordKernel(cgroup: string): () => void {
  const { v2, v1 } = findHierarchies('/proc');
  const programs = Programs.load({ cgroupRoot: v2?.root, ...(v1 ? { v1Controller: v1.controller } : {}) });
  const slab = Buffer.alloc(512 * 1024);
  const view = new EventView(slab);
  const ids = new Set<number>();
  const ring = programs.openRing(slab, (_count, bytes) => {
    const events: string[] = [];
    eachEvent(view, bytes, (event) => {
      const isMade =
        event.type === EVENT.cgroupMkdir && event.hierarchy === 0 && event.path.startsWith(cgroup);
      if (isMade) ids.add(event.madeId);
      // A flood of samples says nothing more than the first ones.
      if (!isMade && (!ids.has(event.cgroupId) || event.type === EVENT.fpu)) return;
      events.push(slab.subarray(event.offset, event.offset + event.size).toString('base64'));
    });
    if (events.length > 0) lines.push({ line: 'kernel', events });
  });
  return () => {
    ring.close();
    programs.close();
  };
}

/** Without what the API server keeps for itself. */
function bare({ metadata, ...rest }: KubeObject): KubeObject {
  const {
    managedFields: _,
    resourceVersion: __,
    ...kept
  } = metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  return { ...rest, metadata: kept } as KubeObject;
}
