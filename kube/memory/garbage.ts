import type { DeleteOptions } from '../cluster.ts';
import type { ResourceName } from '../kind.ts';
import type { AnyObject, Storage } from './storage.ts';

/**
 * Deletes an object as API server and garbage collector do together: with finalizers it is only marked; otherwise it
 * goes, with what it alone owns, and a namespace with everything in it. All of it happens at once.
 */
export function discard(
  storage: Storage,
  kind: ResourceName,
  object: AnyObject,
  propagation: DeleteOptions['propagation'] = 'Background',
): void {
  if (object.metadata.finalizers?.length) {
    if (object.metadata.deletionTimestamp) return;
    const deletionTimestamp = new Date().toISOString();
    storage.put(kind, { ...object, metadata: { ...object.metadata, deletionTimestamp } });
    return;
  }
  storage.remove(kind, object);
  for (const dependent of storage.all()) {
    const { ownerReferences = [], namespace } = dependent.object.metadata;
    const current = storage.get(dependent.kind, { name: '', ...dependent.object.metadata });
    // A dependent of a dependent may have gone meanwhile.
    if (current !== dependent.object) continue;
    const isInside = kind.kind === 'Namespace' && namespace === object.metadata.name;
    const isOwned = ownerReferences.some(({ uid }) => uid === object.metadata.uid);
    if (isInside) discard(storage, dependent.kind, current);
    else if (isOwned && propagation === 'Orphan') {
      const others = ownerReferences.filter(({ uid }) => uid !== object.metadata.uid);
      storage.put(dependent.kind, { ...current, metadata: { ...current.metadata, ownerReferences: others } });
    } else if (isOwned && !ownerReferences.some(({ uid }) => storage.hasUid(uid))) {
      discard(storage, dependent.kind, current);
    }
  }
}
