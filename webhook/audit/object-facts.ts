import type { Fingerprint } from '../../api/fingerprint.ts';
import { fingerprintObject } from '../../detection/fingerprint.ts';
import { isRecord, type JsonRecord, listOf, textOf } from '../../detection/shape.ts';
import { workloadView } from '../../detection/workload.ts';
import { controllerOf } from '../top-owner.ts';

/** What is kept of the object that a request sent or got. */
export interface ObjectFacts {
  name: string;
  namespace: string;
  uid: string;
  owner?: string;
  ownerUid?: string;
  images: string[];
  fingerprint: Fingerprint;
  details: Record<string, string>;
}

const IMAGES = 32;

/** Of one value of `details`, in characters. */
export const DETAIL_LIMIT = 1024;

/** Never of a Secret: the caller sees to that. */
export function objectFacts(object: JsonRecord, resource: string): ObjectFacts {
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  const view = resource === 'configmaps' ? undefined : workloadView(object);
  return {
    name: textOf(metadata.name),
    namespace: textOf(metadata.namespace),
    uid: textOf(metadata.uid),
    ...ownerOf(metadata),
    images: [...new Set(view?.containers.map(({ image }) => image).filter(Boolean))]
      .slice(0, IMAGES)
      .map((image) => image.slice(0, DETAIL_LIMIT)),
    fingerprint: view ? fingerprintObject(object) : [],
    details: detailsOf(object, resource),
  };
}

function ownerOf(metadata: JsonRecord): { owner?: string; ownerUid?: string } {
  const owner = controllerOf(metadata);
  if (!owner) return {};
  return {
    owner: `${textOf(owner.kind)}/${textOf(owner.name)}`.slice(0, DETAIL_LIMIT),
    ownerUid: textOf(owner.uid).slice(0, 64),
  };
}

function detailsOf(object: JsonRecord, resource: string): Record<string, string> {
  const details: Record<string, string> = {};
  if (resource === 'rolebindings' || resource === 'clusterrolebindings') {
    const role = isRecord(object.roleRef) ? textOf(object.roleRef.name) : '';
    const subjects = listOf(object.subjects).filter(isRecord).map(subjectOf).join(', ');
    if (role !== '') details.role = role.slice(0, DETAIL_LIMIT);
    if (subjects !== '') details.subjects = subjects.slice(0, DETAIL_LIMIT);
  } else {
    const account = serviceAccountOf(object);
    if (account !== '') details.serviceAccount = account.slice(0, DETAIL_LIMIT);
  }
  return details;
}

/** As a binding names it: `User/alice`, `ServiceAccount/namespace/name`. */
function subjectOf({ kind, namespace, name }: JsonRecord): string {
  const place = kind === 'ServiceAccount' ? `${textOf(namespace)}/` : '';
  return `${textOf(kind)}/${place}${textOf(name)}`;
}

/** Label keys that a patch touches: a merge patch, what is applied, or a JSON patch (RFC 6902). */
export function patchedLabels(patch: unknown): string {
  const metadata = isRecord(patch) && isRecord(patch.metadata) ? patch.metadata : {};
  const merged = isRecord(metadata.labels) ? Object.keys(metadata.labels) : [];
  const operations = listOf(patch)
    .filter(isRecord)
    .flatMap(({ path, value }) => {
      const [, key] = /^\/metadata\/labels(?:\/(.+))?$/.exec(textOf(path)) ?? [undefined, null];
      if (key === null) return [];
      // RFC 6901: ~1 is a slash, ~0 a tilde.
      if (key !== undefined) return key.replaceAll('~1', '/').replaceAll('~0', '~');
      return isRecord(value) ? Object.keys(value) : [];
    });
  return [...new Set([...merged, ...operations])].sort().join(', ').slice(0, DETAIL_LIMIT);
}

/** Of a pod, of a template, of a template in a CronJob. */
function serviceAccountOf(object: JsonRecord, depth = 0): string {
  const spec = isRecord(object.spec) ? object.spec : undefined;
  if (!spec || depth > 3) return '';
  const name = textOf(spec.serviceAccountName);
  if (name !== '') return name;
  const inner = isRecord(spec.template) ? spec.template : spec.jobTemplate;
  return isRecord(inner) ? serviceAccountOf(inner, depth + 1) : '';
}
