const TICK_MS = 1000;

/** Share of a second in which the event loop worked. */
const CALM = 0.1;

/** Seconds. Between two waves of a storm nothing is gained, and the next one would meet code that is not compiled. */
const CALM_FOR = 30;

const MIB = 1024 * 1024;

/** Resident memory below which nothing is worth a pause, bytes. */
const ENOUGH = 150 * MIB;

/** How much more than after the last time is worth the next one. */
const GROWTH = 1.25;

/**
 * Collects once it is calm and much is resident. A storm of reviews leaves V8 a heap of which a fifth is used; by itself
 * V8 takes the storm for going on until it has not collected for 100 s (kWatchdogDelayMs, memory-reducer.cc), and freed
 * pages stay with it (`pooled` of --trace-gc) until a collection that is meant to save memory. That one takes a tenth of
 * a second, and drops compiled code as V8's own would. Answers what ends it.
 */
export function collectInCalm(
  collect: () => void,
  resident: () => number = process.memoryUsage.rss,
): () => void {
  let seen = performance.eventLoopUtilization();
  let calmFor = 0;
  let enough = ENOUGH;
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, seen);
    seen = now;
    calmFor = utilization < CALM ? calmFor + 1 : 0;
    if (calmFor < CALM_FOR || resident() <= enough) return;
    collect();
    enough = Math.max(ENOUGH, resident() * GROWTH);
  }, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
