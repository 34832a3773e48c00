import { expect } from 'vitest';
import type { FaultScene } from './faults-scene.ts';
import { mustBeAsked } from './must-be-asked.ts';
import { sleeper } from './stand-in.ts';

const CLIENTS = 4;

/**
 * Creates pods in `namespace`, which it makes, over and over until `act` is done, where the API server refuses them
 * whenever no replica answers. Fails when one was refused, or when too few were asked for to tell.
 */
export async function losesNoReview(
  scene: FaultScene,
  namespace: string,
  act: () => Promise<void>,
): Promise<void> {
  await scene.kubectl('create', 'namespace', namespace);
  const askNoMore = await mustBeAsked(scene, namespace);
  let isOver = false;
  const acting = act().finally(() => {
    isOver = true;
  });
  let reviews = 0;
  const failures: string[] = [];
  const ask = async () => {
    while (!isOver) {
      const refusal = await scene.refusal(sleeper(namespace, 'web'));
      if (refusal !== undefined) failures.push(refusal);
      reviews++;
    }
  };
  await Promise.all([acting, ...Array.from({ length: CLIENTS }, ask)]);
  await askNoMore();
  console.log(`${namespace}: ${reviews} reviews, ${failures.length} failures`);
  expect(failures.slice(0, 3)).toEqual([]);
  expect(reviews).toBeGreaterThan(20);
}
