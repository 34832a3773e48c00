import { type Static, Type } from 'typebox';
import { Conditions, type ObjectMeta } from './object.ts';
import { PLAYBOOK, type PlaybookStep, StepMode } from './playbook.ts';

/** How far Kubesentry goes: refuse, warn, record only, or look away. */
export const Mode = Type.Union(
  [Type.Literal('enforce'), Type.Literal('warn'), Type.Literal('audit'), Type.Literal('off')],
  {
    description:
      'enforce: refuse what is denied. warn: admit it with a warning. audit: admit it and record. off: do not judge (quote it: a bare off is false in YAML).',
  },
);
export type Mode = Static<typeof Mode>;

/** What becomes of workloads that exist already and would be refused today. */
export const BackgroundMode = Type.Union(
  [Type.Literal('report'), Type.Literal('respond'), Type.Literal('off')],
  {
    description:
      'Workloads that exist already are judged in the background. report: an Event, a metric and kubectl ' +
      'kubesentry status name those that would be refused; the default. respond: they become incidents as well. ' +
      'off: nobody looks (quote it in YAML).',
  },
);
export type BackgroundMode = Static<typeof BackgroundMode>;

const names = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 1000, description });

/** metav1.LabelSelector. */
const NamespaceSelector = Type.Object(
  {
    matchLabels: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 63 }), { description: 'Labels and their values.' }),
    ),
    matchExpressions: Type.Optional(
      Type.Array(
        Type.Object({
          key: Type.String({ maxLength: 317, description: 'A label.' }),
          operator: Type.Union(
            [Type.Literal('In'), Type.Literal('NotIn'), Type.Literal('Exists'), Type.Literal('DoesNotExist')],
            { description: 'How it relates to the values.' },
          ),
          values: Type.Optional(
            Type.Array(Type.String({ maxLength: 63 }), { maxItems: 64, description: 'For In and NotIn.' }),
          ),
        }),
        { maxItems: 32, description: 'Requirements; all of them have to hold.' },
      ),
    ),
  },
  {
    description:
      'Namespaces by their labels; beside names both have to match. Who may label a namespace then decides about its mode.',
  },
);

export const SentryPolicySpec = Type.Object(
  {
    admission: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(Mode),
          rules: Type.Optional(
            Type.Array(
              Type.Object({
                rule: Type.String({ maxLength: 63, description: 'Id of a rule, such as stratum-url.' }),
                mode: Mode,
              }),
              { maxItems: 128, description: 'Modes for single rules.' },
            ),
          ),
          namespaces: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  names: Type.Optional(names('Namespaces by name; a trailing * matches a prefix.')),
                  selector: Type.Optional(NamespaceSelector),
                  mode: Mode,
                },
                {
                  'x-kubernetes-validations': [
                    {
                      rule: 'has(self.names) || has(self.selector)',
                      message: 'say which namespaces: by names or by a selector',
                    },
                  ],
                },
              ),
              {
                maxItems: 128,
                description: 'Modes for some namespaces; where several match, the strictest wins.',
              },
            ),
          ),
          thresholds: Type.Optional(
            Type.Object(
              {
                deny: Type.Optional(
                  Type.Integer({
                    minimum: 50,
                    maximum: 100,
                    description: 'From this score on a request is refused; 80 by default.',
                  }),
                ),
                warn: Type.Optional(
                  Type.Integer({
                    minimum: 5,
                    maximum: 100,
                    description: 'From this score on a request is admitted with a warning; 30 by default.',
                  }),
                ),
              },
              { description: 'Scores from 0 to 100. Where policies differ, the lowest counts.' },
            ),
          ),
        },
        { description: 'The deploy gate.' },
      ),
    ),
    background: Type.Optional(BackgroundMode),
    exemptions: Type.Optional(
      Type.Array(
        Type.Object(
          {
            namespaces: Type.Optional(names('Only in these namespaces; everywhere when absent.')),
            images: Type.Optional(names('Image repositories, such as docker.io/library/monero.')),
            workloads: Type.Optional(names('Workloads as Kind/name; a trailing * matches a prefix.')),
            users: Type.Optional(names('Users as the API server names them.')),
            rules: Type.Optional(names('Only these rules; all of them when absent.')),
            reason: Type.String({
              minLength: 1,
              maxLength: 1024,
              description: 'Why this is right; it is kept.',
            }),
            expires: Type.Optional(
              Type.String({ format: 'date-time', description: 'When the exemption ends.' }),
            ),
          },
          {
            'x-kubernetes-validations': [
              {
                rule: 'has(self.namespaces) || has(self.images) || has(self.workloads) || has(self.users) || has(self.rules)',
                message: 'it would exempt everything: name namespaces, images, workloads, users or rules',
              },
            ],
          },
        ),
        { maxItems: 256, description: 'What is known to be legitimate. Every given field must match.' },
      ),
    ),
    response: Type.Optional(
      Type.Object(
        {
          quarantine: Type.Optional(
            Type.Union([Type.Literal('auto'), Type.Literal('off')], {
              description:
                'auto: contain by itself from minConfidence on. off: people decide (quote it in YAML).',
            }),
          ),
          minConfidence: Type.Optional(
            Type.Number({
              minimum: 0.5,
              maximum: 1,
              description: 'Confidence from which to contain; 0.9 by default.',
            }),
          ),
          steps: Type.Optional(
            Type.Object(
              Object.fromEntries(PLAYBOOK.map((step) => [step, Type.Optional(StepMode)])) as Record<
                PlaybookStep,
                ReturnType<typeof Type.Optional<typeof StepMode>>
              >,
              {
                description:
                  'How far each step of the response goes by itself. terminate and revoke wait for approval by ' +
                  'default, the others are auto. Where policies differ, the most careful counts.',
              },
            ),
          ),
          gracePeriodSeconds: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 3600,
              description: 'What terminated pods are given to end; 1 by default.',
            }),
          ),
        },
        { description: 'What happens after a detection.' },
      ),
    ),
    runtime: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(
            Type.Union([Type.Literal('detect'), Type.Literal('enforce')], {
              description: 'detect: report only. enforce: kill, refuse and drop in the kernel as well.',
            }),
          ),
          quarantineAllows: Type.Optional(
            names(
              'What contained pods may reach all the same, such as the DNS of the cluster: IP or CIDR, with an optional ' +
                ':port. Nothing by default.',
            ),
          ),
          stop: Type.Optional(
            Type.Union([Type.Literal('kill'), Type.Literal('freeze')], {
              description:
                'How a miner is stopped in enforce mode. kill: at exec, before its first instruction; the default. ' +
                'freeze: its container stands still with its memory, for forensics, until the quarantine is released; ' +
                'processes of the node are killed. Where policies differ, freeze counts.',
            }),
          ),
          namespaces: Type.Optional(
            Type.Array(
              Type.Object({
                names: names('Namespaces by name; a trailing * matches a prefix.'),
                mode: Type.Union([Type.Literal('detect'), Type.Literal('enforce')], {
                  description: 'detect: report only. enforce: act as well.',
                }),
              }),
              {
                maxItems: 128,
                description:
                  'Modes for the pods of some namespaces; where several match, enforce counts. Contained pods are ' +
                  'acted on as the others are.',
              },
            ),
          ),
        },
        { description: 'The node agents.' },
      ),
    ),
    indicators: Type.Optional(
      Type.Object(
        {
          names: Type.Optional(names('Further names of miner processes.')),
          pools: Type.Optional(names('Further pool domains; subdomains match too.')),
          addresses: Type.Optional(names('Further pool addresses: IP or CIDR, with an optional :port.')),
          images: Type.Optional(names('Further image repositories.')),
          hashes: Type.Optional(names('SHA-256 of further binaries.')),
        },
        { description: 'Indicators beside the built-in ones.' },
      ),
    ),
  },
  { description: 'Settings of Kubesentry. Several policies add up; where they differ, the strictest wins.' },
);
export type SentryPolicySpec = Static<typeof SentryPolicySpec>;

export const SentryPolicyStatus = Type.Object(
  {
    conditions: Type.Optional(Conditions('Accepted, and why not.')),
  },
  { description: 'Whether it is in force.' },
);

/** The cluster's settings. Namespaced; counts only in kubesentry-system. */
export interface SentryPolicy {
  apiVersion: 'kubesentry.io/v1alpha1';
  kind: 'SentryPolicy';
  metadata: ObjectMeta;
  spec: SentryPolicySpec;
  status?: Static<typeof SentryPolicyStatus>;
}
