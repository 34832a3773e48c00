export interface Trend {
  /** Theil-Sen: the median of the slopes between all pairs of points, in units of y a unit of x. */
  slope: number;
  /** 95 % interval of the slope, by the variance of Kendall's score (Sen 1968). */
  interval: [low: number, high: number];
  points: number;
}

/** How `points` rise or fall, whatever a few outliers do. Neighbours should be means of blocks: raw samples depend on each other. */
export function trendOf(points: readonly (readonly [x: number, y: number])[]): Trend {
  const slopes: number[] = [];
  for (const [at, [x, y]] of points.entries()) {
    for (const [otherX, otherY] of points.slice(at + 1)) slopes.push((otherY - y) / (otherX - x));
  }
  slopes.sort((a, b) => a - b);
  const n = points.length;
  const reach = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const nth = (at: number) => slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(at)))] ?? 0;
  const middle = (slopes.length - 1) / 2;
  return {
    slope: (nth(Math.floor(middle)) + nth(Math.ceil(middle))) / 2,
    interval: [nth(middle - reach / 2), nth(middle + reach / 2)],
    points: n,
  };
}

/** Means of `blocks` equal parts of the samples, in order. */
export function blockMeans(
  samples: readonly (readonly [x: number, y: number])[],
  blocks: number,
): [x: number, y: number][] {
  const size = Math.max(1, Math.floor(samples.length / blocks));
  const means: [number, number][] = [];
  for (let from = 0; from + size <= samples.length; from += size) {
    const block = samples.slice(from, from + size);
    const mean = (axis: 0 | 1) => block.reduce((sum, point) => sum + point[axis], 0) / block.length;
    means.push([mean(0), mean(1)]);
  }
  return means;
}
