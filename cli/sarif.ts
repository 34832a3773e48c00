import { VERSION } from '../api/names.ts';
import { RULES } from '../detection/rules.ts';
import type { Place } from './manifest-text.ts';
import type { Scanned } from './scan-table.ts';

const LEVELS = { allow: 'note', warn: 'warning', deny: 'error' } as const;

/** SARIF 2.1.0 (OASIS), as code-scanning services take it. One result a finding. */
export function sarif(scanned: readonly Scanned[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'kubesentry',
            version: VERSION,
            rules: Object.entries(RULES).map(([id, { title, why, remedy }]) => ({
              id,
              shortDescription: { text: title },
              fullDescription: { text: why },
              help: { text: remedy },
            })),
          },
        },
        results: scanned.flatMap(({ source, kind, namespace, name, verdict, findings, manifest }) =>
          findings.map(({ rule, message, path, score, evidence }) => ({
            ruleId: rule,
            level: LEVELS[verdict],
            message: { text: `${kind}/${name} ${path}: ${message}` },
            locations: [
              locationOf(source, `${namespace}/${kind}/${name}`, path, manifest?.place(path, evidence)),
            ],
            properties: { score },
          })),
        ),
      },
    ],
  };
}

function locationOf(source: string, resource: string, path: string, place: Place | undefined): object {
  const colon = source.lastIndexOf(':');
  const region = place
    ? { startLine: place.line, startColumn: place.column, endColumn: place.column + place.length }
    : { startLine: Number(source.slice(colon + 1)) };
  return {
    physicalLocation: {
      artifactLocation: { uri: source.slice(0, colon) },
      region,
    },
    logicalLocations: [{ fullyQualifiedName: `${resource}#${path}` }],
  };
}
