import { describe, expect, it } from 'vitest';
import { Limiter } from '../../webhook/limiter.ts';

describe('a limiter', () => {
  it('lets an urgent one go before those that wait', async () => {
    const limiter = new Limiter(1);
    const gate = Promise.withResolvers<void>();
    const order: string[] = [];
    const running = limiter.run(() => gate.promise);
    const others = ['a', 'b'].map((name) => limiter.run(async () => void order.push(name)));
    const urgent = limiter.run(async () => void order.push('urgent'), true);
    gate.resolve();
    await Promise.all([running, urgent, ...others]);
    expect(order).toEqual(['urgent', 'a', 'b']);
  });

  it('keeps a place empty after something slow, and answers at once all the same', async () => {
    const rest = 50;
    const limiter = new Limiter(1, Number.POSITIVE_INFINITY, () => rest);
    let [ended, began] = [0, 0];
    const first = limiter.run(async () => {
      ended = performance.now();
      return 'first';
    });
    const second = limiter.run(async () => {
      began = performance.now();
    });
    expect(await first).toBe('first');
    expect(began).toBe(0);
    await second;
    // A timer may come up to a millisecond early.
    expect(began - ended).toBeGreaterThan(rest - 2);
  });
});
