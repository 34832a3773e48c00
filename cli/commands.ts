/** Runs with the arguments behind its name; returns the exit status. */
export type Run = (argv: readonly string[]) => Promise<number>;

export interface Command {
  summary: string;
  /** Loads only what this command needs: scan works where the agent's native library does not. */
  load(): Promise<Run>;
}

export const COMMANDS: Record<string, Command> = {
  scan: {
    summary: 'Judge manifests, or what exists in a cluster',
    load: async () => (await import('./scan.ts')).scanCommand,
  },
  install: {
    summary: 'Install or upgrade in a cluster, or only look whether that would work (--check)',
    load: async () => (await import('./install.ts')).installCommand,
  },
  uninstall: {
    summary: 'Take everything out of a cluster again',
    load: async () => (await import('./install.ts')).uninstallCommand,
  },
  webhook: {
    summary: 'Serve the admission webhook, the audit and report intake, and the response',
    load: async () => (await import('../webhook/main.ts')).webhookCommand,
  },
  audit: {
    summary: 'Read audit logs into the history, or print what the API server needs to send them',
    load: async () => (await import('./audit.ts')).auditCommand,
  },
  agent: {
    summary: 'Watch this node and report miners',
    load: async () => (await import('../runtime/main.ts')).agentCommand,
  },
};

/** What `kubectl kubesentry` offers beside them. */
export const PLUGIN_COMMANDS: Record<string, Command> = {
  explain: {
    summary: 'Say why a request was refused, or what a rule means',
    load: async () => (await import('./plugin/explain.ts')).explainCommand,
  },
  incidents: {
    summary: 'List the workloads under attack, or tell all about one',
    load: async () => (await import('./plugin/incidents.ts')).incidentsCommand,
  },
  report: {
    summary: 'Write the report of an incident: Markdown, HTML, JSON or OCSF',
    load: async () => (await import('./plugin/report.ts')).reportCommand,
  },
  approve: {
    summary: 'Let the response do what waits for a human',
    load: async () => (await import('./plugin/approve.ts')).approveCommand,
  },
  dismiss: {
    summary: 'Say that an incident is no attack',
    load: async () => (await import('./plugin/dismiss.ts')).dismissCommand,
  },
  quarantine: {
    summary: 'Contain a namespace or a workload by hand',
    load: async () => (await import('./plugin/quarantine.ts')).quarantineCommand,
  },
  release: {
    summary: 'End a quarantine',
    load: async () => (await import('./plugin/release.ts')).releaseCommand,
  },
  status: {
    summary: 'Say whether Kubesentry works, and what is wrong',
    load: async () => (await import('./plugin/status.ts')).statusCommand,
  },
  completion: {
    summary: 'Print the program by which kubectl completes the words of this plugin',
    load: async () => (await import('./plugin/completion.ts')).completionOf(Object.keys(PLUGIN_COMMANDS)),
  },
};
