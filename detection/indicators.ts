import type { SentryPolicySpec } from '../api/sentry-policy.ts';
import { type AddressRange, AddressRanges, parseAddressRange } from './address-ranges.ts';
import { type OptionGrammar, optionGrammar } from './option-grammar.ts';
import type { Rows } from './rows.ts';
import type { ShellParser } from './shell/parser.ts';
import { fold, tokens } from './text.ts';

type NameKind = Rows['names'][number]['kind'];

/** What miners look like, compiled for look-ups whose cost does not grow with the number of indicators. */
export interface Indicators {
  /** Names that are conclusive as the name of a process; for the kernel map. */
  readonly names: readonly string[];
  /** Pool addresses; for the kernel map. */
  readonly addresses: readonly AddressRange[];
  /** SHA-256 of miner binaries; for the kernel map. */
  readonly hashes: ReadonlySet<string>;
  /** Every known name by its nameKey, with its kind. */
  readonly nameKinds: ReadonlyMap<string, NameKind>;
  /** The first part of every known name: where a name may begin within a longer one. */
  readonly nameHeads: ReadonlySet<string>;
  /** Pool domains; a host belongs to one when any suffix of its labels is here. */
  readonly pools: ReadonlySet<string>;
  readonly addressRanges: AddressRanges;
  /** Repositories without registry host and tag, such as `metal3d/xmrig`, or with the host. */
  readonly images: ReadonlySet<string>;
  /** Proof-of-work algorithms; true when the word is used outside mining as well. */
  readonly algorithms: ReadonlyMap<string, boolean>;
  readonly options: OptionGrammar;
  /** Domains where anybody can put a file, where anybody can put a machine, and that served miners in attacks. */
  readonly pasteSites: ReadonlySet<string>;
  readonly dynamicSites: ReadonlySet<string>;
  readonly campaignSites: ReadonlySet<string>;
  readonly shell: ShellParser;
}

export function compileIndicators(rows: Rows, shell: ShellParser): Indicators {
  const addresses = rows.addresses
    .map(({ address }) => parseAddressRange(address))
    .filter((range) => !!range);
  return {
    names: rows.names.filter(({ kind }) => kind === 'miner').map(({ name }) => name),
    addresses,
    hashes: new Set(rows.hashes.map(({ sha256 }) => sha256)),
    nameKinds: new Map(rows.names.map(({ name, kind }) => [nameKey(name), kind])),
    nameHeads: new Set(rows.names.map(({ name }) => nameHead(name))),
    pools: new Set(rows.pools.map(({ domain }) => domain)),
    addressRanges: new AddressRanges(addresses),
    images: new Set(rows.images.map(({ image }) => image)),
    algorithms: new Map(rows.algorithms.map(({ algorithm, common }) => [algorithm, common === true])),
    options: optionGrammar(rows.miners),
    pasteSites: sitesOf(rows, 'paste'),
    dynamicSites: sitesOf(rows, 'dynamic'),
    campaignSites: sitesOf(rows, 'campaign'),
    shell,
  };
}

/**
 * The same indicators and those of a SentryPolicy. An address that cannot be read is left out: the policy's
 * own validation reports it.
 */
export function withExtra(indicators: Indicators, extra: SentryPolicySpec['indicators']): Indicators {
  if (!extra) return indicators;
  const names = (extra.names ?? []).map(fold);
  const more = (extra.addresses ?? []).map(parseAddressRange).filter((range) => !!range);
  const addresses = more.length === 0 ? indicators.addresses : [...indicators.addresses, ...more];
  return {
    ...indicators,
    names: [...indicators.names, ...names],
    addresses,
    hashes: union(indicators.hashes, extra.hashes ?? []),
    nameKinds: new Map([...indicators.nameKinds, ...names.map((name) => [nameKey(name), 'miner'] as const)]),
    nameHeads: new Set([...indicators.nameHeads, ...names.map(nameHead)]),
    pools: union(indicators.pools, extra.pools ?? []),
    addressRanges: more.length === 0 ? indicators.addressRanges : new AddressRanges(addresses),
    images: union(indicators.images, extra.images ?? []),
  };
}

/** Names are compared without regard to how their parts are joined. */
export function nameKey(name: string): string {
  const folded = fold(name);
  return folded.includes('_') || folded.includes('.') ? folded.replace(/[_.]/g, '-') : folded;
}

function nameHead(name: string): string {
  return tokens(nameKey(name))[0] ?? '';
}

/** Whether `host`, or a domain above it, is in `domains`. The cost is the number of labels. */
export function hasDomain(domains: ReadonlySet<string>, host: string): boolean {
  let suffix = host.endsWith('.') ? host.slice(0, -1) : host;
  for (let labels = 0; labels < 16; labels++) {
    if (domains.has(suffix)) return true;
    const dot = suffix.indexOf('.');
    if (dot < 0) return false;
    suffix = suffix.slice(dot + 1);
  }
  return false;
}

function sitesOf(rows: Rows, kind: Rows['sites'][number]['kind']): ReadonlySet<string> {
  return new Set(rows.sites.filter((site) => site.kind === kind).map(({ domain }) => domain));
}

function union(before: ReadonlySet<string>, more: readonly string[]): ReadonlySet<string> {
  return more.length === 0 ? before : new Set([...before, ...more.map(fold)]);
}
