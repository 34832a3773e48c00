import { networkInterfaces } from 'node:os';

/** An address of this machine that an API server takes for that of a pod: not loopback. */
export const ADDRESS = addressOfHere();

function addressOfHere(): string {
  const own = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal);
  return own?.address ?? '127.0.0.1';
}
