import type { Denial } from '../../api/denial.ts';
import type { Finding, Verdict } from '../../api/finding.ts';
import type { Ban } from '../../api/fingerprint.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Indicators } from '../../detection/indicators.ts';
import type { KnownPod } from '../pod-index.ts';
import type { Policy } from './policy.ts';
import type { AdmissionRequest } from './review.ts';

/** All that admission decides from. Everything is in memory: no gate asks anybody. */
export interface Facts {
  now: Date;
  /** The built-in indicators and those of the policies. */
  indicators: Indicators;
  policy: Policy;
  /** Quarantines of a namespace that are in force, those of the whole namespace first. */
  quarantinesOf(namespace: string): readonly Quarantine[];
  /** False when no trait is banned at all. */
  hasBans: boolean;
  /** The ban on a trait, with the quarantine that it belongs to. */
  banOf(facet: Ban['facet'], value: string): { ban: Ban; quarantine: Quarantine } | undefined;
  /** Labels of a namespace; undefined when it is not known (yet). */
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
  podNamed(namespace: string, name: string): KnownPod | undefined;
}

/** What a gate says about a request that concerns it. */
export interface Ruling {
  gate: Denial['spec']['gate'];
  /** `allow` is recorded, and nobody is bothered: the mode is audit. */
  verdict: Verdict;
  /** Completes "DaemonSet shop/x is refused: ". */
  reason: string;
  /** 0 to 100. */
  score: number;
  /** The strongest first. */
  findings: Finding[];
  /** The Incident and the Quarantine that this follows from. */
  incident?: string | undefined;
  quarantine?: string | undefined;
  /** Too weak to be kept: the requester reads it, and that is all. */
  passing?: true;
}

/** One reason to refuse. Pure; undefined when the request does not concern it. */
export type Gate = (request: AdmissionRequest, facts: Facts) => Ruling | undefined;
