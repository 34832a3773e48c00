/** `npm run generate`: writes the manifests that are made from code. A test fails when they are not up to date. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { customResourceDefinitions } from '../api/crd.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { webhookConfiguration } from '../webhook/configuration.ts';
import { quarantinePolicy } from '../webhook/quarantine-policy.ts';

const NOTE = '# Made by `npm run generate`; change the code, not this file.\n';

/** kubectl reads YAML 1.1, where a bare `off` is false: such words have to be quoted. */
const yaml = (objects: object[]): string =>
  objects
    .map((object) => stringify(object, { version: '1.1', lineWidth: 110, aliasDuplicateObjects: false }))
    .join('---\n');

const base = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'base', `${name}.yaml`), 'utf8').trimEnd();

/** Without a CA: the webhook puts its own in when it starts. */
function admission(): object[] {
  const configuration = webhookConfiguration({
    service: { name: 'kubesentry-webhook', namespace: SYSTEM_NAMESPACE },
  });
  return [configuration, ...quarantinePolicy()];
}

/** Every generated file by its path below manifests/. */
export function generatedFiles(): Record<string, string> {
  const crds = customResourceDefinitions();
  const parts = [
    base('namespace'),
    yaml(crds).trimEnd(),
    base('webhook-rbac'),
    base('agent-rbac'),
    base('webhook'),
    base('agent'),
    yaml(admission()).trimEnd(),
  ];
  return {
    'base/crds.yaml': NOTE + yaml(crds),
    'base/admission.yaml': NOTE + yaml(admission()),
    'install.yaml': `${NOTE}${parts.join('\n---\n')}\n`,
  };
}

/** What is in the repository now; empty where there is no such file. */
export function committed(path: string): string {
  try {
    return readFileSync(join(import.meta.dirname, path), 'utf8');
  } catch {
    return '';
  }
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(generatedFiles())) {
    const file = join(import.meta.dirname, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
