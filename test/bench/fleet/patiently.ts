import { KubesentryError } from '../../../api/errors.ts';

const PATIENCE_MS = 300_000;

/** Asks again while the API server does not get round to an answer, as it does after a storm. */
export async function patiently<T>(act: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const isBusy = error instanceof KubesentryError && error.code === 'KUBE_UNREACHABLE';
      if (!isBusy || performance.now() > deadline) throw error;
    }
  }
}
