export interface Quantiles {
  p50: number;
  p99: number;
  max: number;
}

/** By nearest rank: of fifty samples the 99th percentile is the worst. Zeros for none. */
export function quantiles(samples: readonly number[]): Quantiles {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
