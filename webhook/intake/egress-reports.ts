import type { NodeState } from '../../api/node-state.ts';
import { EGRESS_NODES, type Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { Limiter, restAfter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { QuarantineIndex } from '../quarantine-index.ts';

export interface EgressReportsOptions {
  cluster: Pick<Cluster, 'patch'>;
  quarantines: Pick<QuarantineIndex, 'get' | 'values'>;
  noteQuarantine: (quarantine: Quarantine) => void;
  log: Log;
  /** Milliseconds in which what nodes say of one Quarantine is gathered; 500 unless told. */
  gatherMs?: number | undefined;
}

type Word = 'cut' | 'open';

const GATHER_MS = 500;

/** A write that takes longer shows that the API server is busy, milliseconds. */
const BUSY_MS = 250;

/**
 * Writes what agents say about contained pods into the status of their Quarantines, all nodes of a moment in one write:
 * every agent hears of it. A node says its own word only, so replicas do not get into each other's way; what is lost comes
 * again with the next report of the node's state, within a minute.
 */
export class EgressReports {
  readonly #options: EgressReportsOptions;
  readonly #writers = new Limiter(1, Number.POSITIVE_INFINITY, restAfter(BUSY_MS));
  /** By Quarantine and node; null where the node has none of its pods any more. */
  readonly #told = new Map<string, Map<string, Word | null>>();

  constructor(options: EgressReportsOptions) {
    this.#options = options;
  }

  note(node: string, { egressCut, egressOpen }: Pick<NodeState, 'egressCut' | 'egressOpen'>): void {
    const words = new Map<string, Word>([
      ...egressCut.map((name): [string, Word] => [name, 'cut']),
      ...egressOpen.map((name): [string, Word] => [name, 'open']),
    ]);
    for (const { metadata, status } of this.#options.quarantines.values()) {
      const name = metadata.name ?? '';
      const word = words.get(name);
      const known = this.#told.get(name)?.get(node) ?? status?.egress?.[node];
      if (word === (known ?? undefined)) continue;
      const isFull = Object.keys(status?.egress ?? {}).length >= EGRESS_NODES;
      if (known === undefined && isFull) continue;
      this.#gather(name).set(node, word ?? null);
    }
  }

  #gather(name: string): Map<string, Word | null> {
    const nodes = this.#told.get(name) ?? new Map<string, Word | null>();
    if (!this.#told.has(name)) {
      this.#told.set(name, nodes);
      const { gatherMs = GATHER_MS } = this.#options;
      setTimeout(() => void this.#writers.run(() => this.#write(name)), gatherMs).unref();
    }
    return nodes;
  }

  async #write(name: string): Promise<void> {
    const { cluster, quarantines, noteQuarantine, log } = this.#options;
    const nodes = this.#told.get(name);
    this.#told.delete(name);
    if (!nodes || !quarantines.get(name)) return;
    const status = { egress: Object.fromEntries(nodes) };
    try {
      noteQuarantine(await cluster.patch(KIND.Quarantine, { name }, { status }, { subresource: 'status' }));
    } catch (error) {
      log.warn(
        { quarantine: name, err: error },
        'where egress is cut could not be told; agents tell it again',
      );
    }
  }
}
