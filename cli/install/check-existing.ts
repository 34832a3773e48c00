import { GROUP, SYSTEM_NAMESPACE, VERSION } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { kindOf } from './manifest.ts';
import type { Finding, Situation } from './situation.ts';

const DEPLOYMENT = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' };

interface Webhooks extends KubeObject {
  webhooks?: { clientConfig?: { caBundle?: string } }[];
}

/** An installation that is there already, its version, whether it can be reached, and kinds that are not ours. */
export async function existing({ cluster, manifest }: Situation): Promise<Finding> {
  const ours = new Set(manifest.map(({ metadata }) => metadata.name));
  const definition = manifest.find(({ kind }) => kind === 'CustomResourceDefinition');
  if (definition) {
    const strangers: string[] = [];
    for await (const { metadata, spec } of everyObject(cluster, kindOf(definition))) {
      const isInGroup = (spec as { group?: string } | undefined)?.group === GROUP;
      if (isInGroup && !ours.has(metadata.name)) strangers.push(metadata.name ?? '');
    }
    if (strangers.length > 0) {
      const detail = `${strangers.join(', ')} of another version or product: look who made them before you go on`;
      return { state: 'WRONG', detail };
    }
  }
  const deployment = await cluster.get(KIND.Deployment, DEPLOYMENT);
  const configuration = (await cluster.get(KIND.ValidatingWebhookConfiguration, {
    name: 'kubesentry',
  })) as Webhooks | undefined;
  if (!deployment) {
    return configuration
      ? {
          state: 'look',
          detail: 'a webhook configuration without a webhook, left by an uninstall: installing mends it',
        }
      : { state: 'ok', detail: `nothing; ${VERSION} would be new` };
  }
  const installed = versionOf(deployment);
  const ready = (deployment.status as { readyReplicas?: number } | undefined)?.readyReplicas ?? 0;
  const isKnown = configuration?.webhooks?.every(({ clientConfig }) => clientConfig?.caBundle) ?? false;
  if (isNewer(installed, VERSION)) {
    return {
      state: 'WRONG',
      detail: `${installed} is installed, which is newer than ${VERSION}: use its own command`,
    };
  }
  const what =
    installed === VERSION ? `${installed} is installed` : `${installed}; this would make it ${VERSION}`;
  if (ready === 0) return { state: 'look', detail: `${what}, and no replica of its webhook is ready` };
  if (!isKnown) return { state: 'look', detail: `${what}, and the API server does not know its CA` };
  return { state: 'ok', detail: `${what}, ${ready} replicas ready, the API server knows them` };
}

/** Of the image's tag; a digest says nothing. */
function versionOf({ spec }: KubeObject): string {
  const { template } = (spec ?? {}) as { template?: { spec?: { containers?: { image?: string }[] } } };
  const image = template?.spec?.containers?.[0]?.image ?? '';
  return /:v?(\d+\.\d+\.\d+[^@/]*)(@|$)/.exec(image)?.[1] ?? 'a version that its image does not tell';
}

function isNewer(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/).map(Number));
  for (const at of [0, 1, 2]) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** Pod Security has to let the agent in. */
export async function namespace({ cluster }: Situation): Promise<Finding> {
  const found = await cluster.get(KIND.Namespace, { name: SYSTEM_NAMESPACE });
  if (!found) return { state: 'ok', detail: `${SYSTEM_NAMESPACE} would be made` };
  const { deletionTimestamp, labels = {} } = found.metadata;
  if (deletionTimestamp !== undefined) {
    const detail = `${SYSTEM_NAMESPACE} is being deleted: wait until it is gone`;
    return { state: 'WRONG', detail };
  }
  const level = labels['pod-security.kubernetes.io/enforce'];
  return level === 'privileged' || level === undefined
    ? { state: 'ok', detail: `${SYSTEM_NAMESPACE} is there; Pod Security lets the agent in` }
    : {
        state: 'look',
        detail: `${SYSTEM_NAMESPACE} enforces Pod Security "${level}", which keeps the agent out; installing sets it to privileged`,
      };
}
