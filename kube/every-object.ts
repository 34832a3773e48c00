import type { Cluster, Stored } from './cluster.ts';
import type { Kind } from './kind.ts';

const PAGE = 250;

/** Every object of a kind, page by page, so that a large cluster is never in memory at once. Raises what the cluster raises. */
export async function* everyObject<T extends Stored>(
  cluster: Pick<Cluster, 'list'>,
  kind: Kind<T>,
  namespace?: string,
  labelSelector?: string,
): AsyncGenerator<T> {
  let next: string | undefined;
  do {
    const page = await cluster.list(kind, { namespace, labelSelector, limit: PAGE, continue: next });
    yield* page.items;
    next = page.continue;
  } while (next);
}
