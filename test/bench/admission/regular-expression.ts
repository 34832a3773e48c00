/** What Pepr and the ceiling look for. One expression is all that they do. */
export const MINER = /xmrig|minerd|cpuminer|stratum\+tcp|donate-level/i;
