/** `npm run generate`: writes what is made from code. A test fails when something of it is not up to date. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { customResourceDefinitions } from '../api/crd.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { referencePages } from '../build/reference.ts';
import { webhookConfiguration } from '../webhook/configuration.ts';
import { quarantinePolicy } from '../webhook/quarantine-policy.ts';
import { chartFiles } from './chart.ts';
import { dashboard } from './dashboards/dashboard.ts';

const ROOT = join(import.meta.dirname, '..');

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

/** What the Prometheus operator takes, from the plain rules. */
function prometheusRule(): object {
  const { groups } = parse(readFileSync(join(import.meta.dirname, 'alerts', 'rules.yaml'), 'utf8'));
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'kubesentry', namespace: SYSTEM_NAMESPACE },
    spec: { groups },
  };
}

/** Every generated file by its path in the repository. */
export function generatedFiles(): Record<string, string> {
  const crds = yaml(customResourceDefinitions());
  const admissionText = yaml(admission());
  const parts = [
    base('namespace'),
    base('quota'),
    crds.trimEnd(),
    base('webhook-rbac'),
    base('agent-rbac'),
    base('people-rbac'),
    base('webhook'),
    base('agent'),
    base('network-policy'),
    admissionText.trimEnd(),
  ];
  const chart = chartFiles({
    quota: `${base('quota')}\n`,
    crds: NOTE + crds,
    webhookRbac: `${base('webhook-rbac')}\n`,
    agentRbac: `${base('agent-rbac')}\n`,
    peopleRbac: `${base('people-rbac')}\n`,
    webhook: `${base('webhook')}\n`,
    agent: `${base('agent')}\n`,
    networkPolicy: `${base('network-policy')}\n`,
    admission: NOTE + admissionText,
    certificates: readFileSync(
      join(import.meta.dirname, 'overlays', 'cert-manager', 'certificates.yaml'),
      'utf8',
    ),
  });
  return {
    'manifests/base/crds.yaml': NOTE + crds,
    'manifests/base/admission.yaml': NOTE + admissionText,
    'manifests/install.yaml': `${NOTE}${parts.join('\n---\n')}\n`,
    'manifests/alerts/prometheus-rule.yaml': NOTE + yaml([prometheusRule()]),
    'manifests/dashboards/kubesentry.json': `${JSON.stringify(dashboard(), undefined, 2)}\n`,
    ...below('manifests/chart', chart),
    ...below('docs/reference', referencePages()),
  };
}

function below(folder: string, files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));
}

/** What is in the repository now; empty where there is no such file. */
export function committed(path: string): string {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch {
    return '';
  }
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(generatedFiles())) {
    const file = join(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
