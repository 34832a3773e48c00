import type { Docket } from './docket.ts';
import { isPublicAddress } from './endpoint.ts';
import { hasDomain } from './indicators.ts';
import { isRecord, listOf, textOf } from './shape.ts';
import { fold } from './text.ts';

/** More ports of one object are not read: each is asked of each address. */
const PORT_LIMIT = 16;

/** Web pages of pools are asked there. */
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);

/**
 * Judges an object that gives a way to a pool and runs nothing: a Service that is another name for it, its addresses as
 * the endpoints of a Service, and a ServiceEntry of Istio.
 */
export function judgeRoute(object: Record<string, unknown>, docket: Docket): void {
  const { kind, spec } = object;
  if (kind === 'Service' && isRecord(spec)) judgeHost(spec.externalName, 'spec.externalName', docket);
  else if (kind === 'ServiceEntry' && isRecord(spec)) judgeEntry(spec, docket);
  else if (kind === 'EndpointSlice') judgeAddresses(object.endpoints, object.ports, 'endpoints', docket);
  else if (kind === 'Endpoints') {
    listOf(object.subsets).forEach((subset, at) => {
      if (!isRecord(subset)) return;
      const { addresses, ports } = subset;
      judgeAddresses([{ addresses: listOf(addresses).map(ipOf) }], ports, `subsets[${at}]`, docket);
    });
  }
}

function ipOf(address: unknown): unknown {
  return isRecord(address) ? address.ip : undefined;
}

/** One whose endpoints are local is a hole that mesh traffic falls into; one for the web alone is for its pages. */
function judgeEntry({ hosts, endpoints, ports }: Record<string, unknown>, docket: Docket): void {
  const isHole = listOf(endpoints).some(
    (endpoint) => isRecord(endpoint) && /^(?:127\.|0\.|::1$)/.test(textOf(endpoint.address)),
  );
  const numbers = portsOf(ports, 'number');
  if (isHole || (numbers.length > 0 && numbers.every((port) => WEB_PORTS.has(port)))) return;
  listOf(hosts).forEach((host, at) => {
    judgeHost(textOf(host).replace(/^\*\./, ''), `spec.hosts[${at}]`, docket);
  });
}

function judgeAddresses(endpoints: unknown, ports: unknown, path: string, docket: Docket): void {
  const numbers = portsOf(ports, 'port');
  listOf(endpoints).forEach((endpoint, at) => {
    for (const address of isRecord(endpoint) ? listOf(endpoint.addresses) : []) {
      const host = textOf(address);
      judgeHost(host, `${path}[${at}].addresses`, docket);
      if (isPublicAddress(host) && numbers.some((port) => docket.indicators.addressRanges.has(host, port)))
        docket.report('pool-address', `${path}[${at}].addresses`, `${host} is the address of a pool.`, host);
    }
  });
}

function portsOf(ports: unknown, field: string): number[] {
  return listOf(ports)
    .slice(0, PORT_LIMIT)
    .flatMap((port) => (isRecord(port) ? [Number(port[field])] : []));
}

function judgeHost(given: unknown, path: string, docket: Docket): void {
  const host = fold(textOf(given));
  if (host !== '' && hasDomain(docket.indicators.pools, host))
    docket.report('pool-host', path, `It is another name for ${host}, a mining pool.`, host);
}
