import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { groupVersion, type Kind } from '../../kube/kind.ts';
import { kindOf } from './manifest.ts';
import type { Finding, Situation } from './situation.ts';

interface Attributes {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string | undefined;
}

interface Review extends KubeObject {
  status?: { allowed?: boolean };
}

const REVIEW: Kind<Review> = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  namespaced: false,
};

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** Whether the caller may create and change every kind of the manifest, and grant what its roles grant. */
export async function rights({ cluster, manifest }: Situation): Promise<Finding> {
  const refused = await refusedOf(cluster, writes(manifest));
  const escalate = { verb: 'escalate', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' };
  const mayEscalate = (await refusedOf(cluster, [escalate])).length === 0;
  const unowned = mayEscalate ? [] : await refusedOf(cluster, grants(manifest));
  if (refused.length > 0) return { state: 'WRONG', detail: `you may not ${some(refused)}` };
  if (unowned.length > 0) {
    const detail = `you may not ${some(unowned)}, so the API server will not let you grant it to the webhook`;
    return { state: 'WRONG', detail };
  }
  return { state: 'ok', detail: 'create and change all that is installed, and grant its roles' };
}

function writes(manifest: readonly KubeObject[]): Attributes[] {
  return manifest.flatMap((object) => {
    const { plural: resource } = kindOf(object);
    const { group } = groupVersion(object as never);
    const { namespace } = object.metadata;
    return ['create', 'patch'].map((verb) => ({ verb, group, resource, namespace }));
  });
}

function grants(manifest: readonly KubeObject[]): Attributes[] {
  return manifest.flatMap((object) => {
    const { namespace } = object.metadata;
    return ((object.rules ?? []) as Rule[]).flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((path) => {
          const [resource = '', subresource] = path.split('/');
          return verbs.map((verb) => ({
            verb,
            group,
            resource,
            namespace,
            ...(subresource && { subresource }),
          }));
        }),
      ),
    );
  });
}

/** Each is asked once. */
async function refusedOf(cluster: Pick<Cluster, 'create'>, asked: readonly Attributes[]): Promise<string[]> {
  const distinct = new Map(
    asked.map((resourceAttributes) => [JSON.stringify(resourceAttributes), resourceAttributes]),
  );
  const answers = await Promise.all(
    [...distinct.values()].map(async (resourceAttributes) => {
      const { apiVersion, kind } = REVIEW;
      const review: Review = { apiVersion, kind, metadata: {}, spec: { resourceAttributes } };
      const { status } = await cluster.create(REVIEW, review);
      return status?.allowed ? [] : [textOf(resourceAttributes)];
    }),
  );
  return [...new Set(answers.flat())];
}

function textOf({ verb, group, resource, subresource, namespace }: Attributes): string {
  const name = `${resource}${group === '' ? '' : `.${group}`}${subresource ? `/${subresource}` : ''}`;
  return `${verb} ${name}${namespace === undefined ? '' : ` in ${namespace}`}`;
}

const some = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
