import { VERSION } from '../api/names.ts';

/** A line of the base that the chart lets its users choose, and what stands there instead. */
interface Choice {
  line: string;
  template: string;
}

const WEBHOOK: Choice[] = [
  { line: '  replicas: 2', template: '  replicas: {{ .Values.webhook.replicas }}' },
  {
    line: `          image: kubesentry-webhook:${VERSION}`,
    template: `          image: {{ .Values.webhook.image }}`,
  },
  {
    line: '          imagePullPolicy: IfNotPresent',
    template: '          imagePullPolicy: {{ .Values.imagePullPolicy }}',
  },
  {
    line: '          args: [webhook]',
    template: `          args:
            - webhook
            {{- if .Values.audit.enabled }}
            - --audit-db={{ .Values.audit.database }}
            - --audit-token-file=/var/run/secrets/kubesentry-audit/token
            {{- end }}
            {{- if .Values.certManager.enabled }}
            - --cert-dir=/var/run/secrets/kubesentry-tls
            - --no-register
            {{- end }}
            {{- range .Values.alerts.falco }}
            - --alert-url={{ . }}
            {{- end }}
            {{- range .Values.alerts.alertmanager }}
            - --alertmanager-url={{ . }}
            {{- end }}
            {{- range .Values.webhook.extraArgs }}
            - {{ . | quote }}
            {{- end }}`,
  },
  {
    line: `            requests: { cpu: 50m, memory: 128Mi }
            limits: { memory: 768Mi }`,
    template: `            {{- toYaml .Values.webhook.resources | nindent 12 }}`,
  },
  {
    line: '            capabilities: { drop: [ALL] }',
    template: `            capabilities: { drop: [ALL] }
          {{- if or .Values.audit.enabled .Values.certManager.enabled }}
          volumeMounts:
            {{- if .Values.audit.enabled }}
            # The history; each replica keeps what it was sent. With a postgres:// database all share one.
            - { name: audit, mountPath: /var/lib/kubesentry }
            # What the API server has to send.
            - { name: audit-token, mountPath: /var/run/secrets/kubesentry-audit, readOnly: true }
            {{- end }}
            {{- if .Values.certManager.enabled }}
            - { name: tls, mountPath: /var/run/secrets/kubesentry-tls, readOnly: true }
            {{- end }}
      volumes:
        {{- if .Values.audit.enabled }}
        - name: audit
          emptyDir: { sizeLimit: 1536Mi }
        - name: audit-token
          secret: { secretName: {{ .Values.audit.tokenSecret }} }
        {{- end }}
        {{- if .Values.certManager.enabled }}
        - name: tls
          secret: { secretName: kubesentry-webhook-serving }
        {{- end }}
          {{- end }}`,
  },
  { line: '  minAvailable: 1', template: '  minAvailable: {{ .Values.webhook.minAvailable }}' },
];

const AGENT: Choice[] = [
  {
    line: `          image: kubesentry-agent:${VERSION}`,
    template: '          image: {{ .Values.agent.image }}',
  },
  {
    line: '          imagePullPolicy: IfNotPresent',
    template: '          imagePullPolicy: {{ .Values.imagePullPolicy }}',
  },
  {
    line: '      tolerations:\n        - operator: Exists',
    template: '      tolerations: {{- toYaml .Values.agent.tolerations | nindent 8 }}',
  },
];

/** cert-manager's cainjector puts the CA in. */
const ADMISSION: Choice[] = [
  {
    line: 'kind: ValidatingWebhookConfiguration\nmetadata:\n  name: kubesentry\n',
    template: `kind: ValidatingWebhookConfiguration
metadata:
  name: kubesentry
  {{- if .Values.certManager.enabled }}
  annotations:
    cert-manager.io/inject-ca-from: kubesentry-system/kubesentry-webhook
  {{- end }}
`,
  },
];

const VALUES = `# Where the images are. \`npm run image\` builds them.
imagePullPolicy: IfNotPresent

webhook:
  image: kubesentry-webhook:${VERSION}
  # Every replica answers reviews; one of them, by a Lease, runs the response.
  replicas: 2
  # Of these, so many stay while nodes are drained.
  minAvailable: 1
  resources:
    requests: { cpu: 50m, memory: 128Mi }
    limits: { memory: 768Mi }
  # Further options of \`kubesentry webhook\`; --help lists them.
  extraArgs: []

agent:
  image: kubesentry-agent:${VERSION}
  # Miners do not spare tainted nodes; neither does the agent.
  tolerations:
    - operator: Exists

# Takes the API server's audit events, so that incidents say who did it. See docs/audit.md.
audit:
  enabled: false
  # A file for each replica, or postgres://USER@HOST/DATABASE for all.
  database: /var/lib/kubesentry/audit.db
  # Secret with the key \`token\`; it has to exist.
  tokenSecret: kubesentry-audit

# Certificates come from cert-manager, which has to be there with its cainjector; without it the webhook makes its own.
certManager:
  enabled: false

# Addresses that hear of incidents.
alerts:
  falco: []
  alertmanager: []

# The spec of a SentryPolicy named "chart"; none is made when it is empty. Quote "off".
policy: {}
`;

const text = (description: string) => ({ type: 'string', minLength: 1, description });
const urls = { type: 'array', items: { type: 'string', pattern: '^https?://' } };
const closed = (properties: object) => ({ type: 'object', additionalProperties: false, properties });

/** JSON Schema (draft 7) of the values: a misspelt one is an error and not a setting that nobody reads. */
const SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  ...closed({
    global: { type: 'object' },
    imagePullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
    webhook: closed({
      image: text('Reference of the webhook image.'),
      replicas: { type: 'integer', minimum: 1, maximum: 50 },
      minAvailable: { type: 'integer', minimum: 0 },
      resources: { type: 'object' },
      extraArgs: { type: 'array', items: { type: 'string' } },
    }),
    agent: closed({ image: text('Reference of the agent image.'), tolerations: { type: 'array' } }),
    audit: closed({
      enabled: { type: 'boolean' },
      database: text('File, or postgres:// address.'),
      tokenSecret: text('Name of the Secret.'),
    }),
    certManager: closed({ enabled: { type: 'boolean' } }),
    alerts: closed({ falco: urls, alertmanager: urls }),
    policy: { type: 'object' },
  }),
};

const CHART = `apiVersion: v2
name: kubesentry
description: Detects and stops cryptomining in Kubernetes
type: application
version: ${VERSION}
appVersion: ${VERSION}
# ValidatingAdmissionPolicy v1 and its CEL.
kubeVersion: ">=1.30.0-0"
keywords: [security, cryptomining, admission, ebpf]
`;

/** Names of the base are written into policies and RBAC, so that the chart has one namespace and one release. */
const CHECKS = `{{- if ne .Release.Namespace "kubesentry-system" }}
{{- fail "Kubesentry lives in the namespace kubesentry-system: helm install kubesentry ... --namespace kubesentry-system" }}
{{- end }}
`;

/** A hook, because its kind is made by the same release. */
const POLICY = `{{- with .Values.policy }}
apiVersion: kubesentry.io/v1alpha1
kind: SentryPolicy
metadata:
  name: chart
  namespace: kubesentry-system
  annotations:
    helm.sh/hook: post-install,post-upgrade
spec: {{- toYaml . | nindent 2 }}
{{- end }}
`;

const NOTES = `Kubesentry {{ .Chart.AppVersion }} is installed.

  kubectl -n kubesentry-system rollout status deployment/kubesentry-webhook daemonset/kubesentry-agent
  kubectl kubesentry status
`;

const README = `# Kubesentry, by Helm

The same objects as \`manifests/install.yaml\`, made from the same source by \`npm run generate\`; \`values.yaml\` says what
can be chosen, \`values.schema.json\` refuses everything else.

\`\`\`
kubectl create namespace kubesentry-system
kubectl label namespace kubesentry-system pod-security.kubernetes.io/enforce=privileged
helm install kubesentry manifests/chart --namespace kubesentry-system --wait
kubectl kubesentry status
\`\`\`

The label matters where Pod Security is enforced: the agent needs host processes and five capabilities, each with its
reason in \`templates/agent.yaml\`.

For the first days only look, and refuse, contain and kill nothing:

\`\`\`
helm upgrade kubesentry manifests/chart --namespace kubesentry-system --reuse-values \\
  --set policy.admission.mode=audit --set policy.runtime.mode=detect --set-string policy.response.quarantine=off
\`\`\`

The kinds are part of the release, so that an upgrade brings their new fields, and \`helm uninstall\` deletes them with
every incident and denial. Release quarantines first (\`kubectl kubesentry release NAME\`): without a webhook nobody takes
their label off the namespaces.
`;

/** The parts of the base, as text with their comments. */
export interface Base {
  quota: string;
  crds: string;
  webhookRbac: string;
  agentRbac: string;
  peopleRbac: string;
  webhook: string;
  agent: string;
  networkPolicy: string;
  admission: string;
  /** Of the overlay for cert-manager. */
  certificates: string;
}

/** The files of the Helm chart by their path in it; made from the base, so that there is one truth. */
export function chartFiles(base: Base): Record<string, string> {
  return {
    'Chart.yaml': CHART,
    'README.md': README,
    'values.yaml': VALUES,
    'values.schema.json': `${JSON.stringify(SCHEMA, null, 2)}\n`,
    'templates/checks.yaml': CHECKS,
    'templates/quota.yaml': literal(base.quota),
    'templates/crds.yaml': literal(base.crds),
    'templates/webhook-rbac.yaml': literal(base.webhookRbac),
    'templates/agent-rbac.yaml': literal(base.agentRbac),
    'templates/people-rbac.yaml': literal(base.peopleRbac),
    'templates/webhook.yaml': chosen(base.webhook, WEBHOOK),
    'templates/agent.yaml': chosen(base.agent, AGENT),
    'templates/network-policy.yaml': literal(base.networkPolicy),
    'templates/admission.yaml': chosen(base.admission, ADMISSION),
    'templates/cert-manager.yaml': `{{- if .Values.certManager.enabled }}\n${literal(base.certificates)}{{- end }}\n`,
    'templates/policy.yaml': POLICY,
    'templates/NOTES.txt': NOTES,
  };
}

/** A line of the base that is no longer there would be a value that nobody reads. */
function chosen(base: string, choices: readonly Choice[]): string {
  return choices.reduce((text, { line, template }) => {
    if (text.split(line).length !== 2)
      throw new Error(`The base has this not once, but the chart needs it: ${line}`);
    return text.replace(line, () => template);
  }, literal(base));
}

function literal(text: string): string {
  if (text.includes('{{')) throw new Error('A text of the base would be a template of the chart.');
  return text;
}
