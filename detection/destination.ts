import type { Finding } from '../api/finding.ts';
import { Docket } from './docket.ts';
import { hasDomain } from './indicators.ts';
import type { JudgeOptions } from './judge.ts';
import { fold } from './text.ts';

/** Where a connection goes. `host` is the name that the pod's own DNS answers gave the address. */
export interface Destination {
  address: string;
  port: number;
  host?: string;
}

/** Ports on which pools listen often, over the lists of Falco and maltrail. */
const MINING_PORTS: ReadonlySet<number> = new Set([
  3333, 3334, 3335, 3336, 3357, 4444, 5555, 5556, 5588, 5730, 7777, 9999, 10032, 10100, 10128, 10300, 10343,
  13531, 14000, 14433, 14444, 15555, 19335, 20580, 45560, 45700, 58080,
]);

export function isMiningPort(port: number): boolean {
  return MINING_PORTS.has(port);
}

/** Findings about one destination, paths being its fields. A port alone is never more than low. */
export function judgeDestination(destination: Destination, { indicators }: JudgeOptions): Finding[] {
  const docket = new Docket(indicators);
  const { address, port, host } = destination;
  if (indicators.addressRanges.has(address, port)) {
    docket.report('pool-address', 'address', `${address} is the address of a mining pool.`, address);
  }
  if (host !== undefined && hasDomain(indicators.pools, fold(host))) {
    // Web pages of pools share the domain; miners use the web ports too, so this is no proof of innocence.
    const web = port === 443 || port === 80;
    docket.report('pool-host', 'host', `${host} belongs to a mining pool.`, host, web ? 70 : 100);
  }
  if (isMiningPort(port))
    docket.report('mining-port', 'port', `Pools often listen on port ${port}.`, `${port}`);
  return docket.findings.toSorted((a, b) => b.score - a.score);
}
