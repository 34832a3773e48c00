import type { BpfMap } from 'node-libbpf';

/** What of one cgroup's events was not handed up, since the start. */
export interface Spending {
  cgroupId: number;
  /** In the v1 hierarchy that was chosen; 0 where there is none. */
  cgroupV1Id: number;
  /** Repeats that were counted instead. */
  folded: number;
  /** Events that found no room in the ring. */
  dropped: number;
}

/** Reads the map `budgets`; structs origin and budget of budget.h. */
export function spendingOf(budgets: BpfMap): Spending[] {
  return budgets
    .entries()
    .map(([key, value]) => ({
      cgroupId: Number(key.readBigUInt64LE(0)),
      cgroupV1Id: Number(key.readBigUInt64LE(8)),
      folded: Number(value.readBigUInt64LE(8)),
      dropped: Number(value.readBigUInt64LE(16)),
    }))
    .filter(({ folded, dropped }) => folded > 0 || dropped > 0);
}
