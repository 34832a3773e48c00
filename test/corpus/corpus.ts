import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import type { Judgement } from '../../detection/verdict.ts';
import { benignCases } from './benign.ts';
import { maliciousCases } from './malicious.ts';

export interface Judged extends Judgement {
  label: 'malicious' | 'benign';
  name: string;
}

export interface Row {
  label: string;
  cases: number;
  allow: number;
  warn: number;
  deny: number;
  warned: Judged[];
}

/** A miss is a malicious case that is not denied, or a benign one that is. */
export async function judgeCorpus(): Promise<{ rows: Row[]; misses: Judged[] }> {
  const indicators = await loadIndicators();
  const judged: Judged[] = (['malicious', 'benign'] as const).flatMap((label) =>
    [...(label === 'malicious' ? maliciousCases() : benignCases()), ...writtenCases(label)].map(
      ({ name, object }) => ({
        label,
        name,
        ...judgeObject(object, { indicators }),
      }),
    ),
  );
  const rows = (['malicious', 'benign'] as const).map((label): Row => {
    const mine = judged.filter((item) => item.label === label);
    const count = (verdict: string) => mine.filter((item) => item.verdict === verdict).length;
    return {
      label,
      cases: mine.length,
      allow: count('allow'),
      warn: count('warn'),
      deny: count('deny'),
      warned: mine.filter(({ verdict }) => verdict === 'warn'),
    };
  });
  return {
    rows,
    misses: judged.filter(({ label, verdict }) => (verdict === 'deny') !== (label === 'malicious')),
  };
}

/** The cases that people wrote as YAML; each document is one. */
export function writtenCases(label: string): { name: string; object: unknown }[] {
  const folder = join(import.meta.dirname, label);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document, index) => ({
        name: `${label}/${file}, document ${index + 1}`,
        object: document.toJS({ maxAliasCount: 100 }) as unknown,
      })),
    );
}
