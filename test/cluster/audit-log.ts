import { readFileSync } from 'node:fs';

/** Every write that succeeded, with nothing of its content. For AuditBackend. */
export const WRITES_POLICY = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', verbs: ['get', 'list', 'watch'] },
    { level: 'None', resources: [{ group: 'coordination.k8s.io' }, { group: 'authentication.k8s.io' }] },
    { level: 'Metadata' },
  ],
});

/** Everything that these users ask for, reads included, with nothing of its content. For AuditBackend. */
export function requestsOf(...users: string[]): string {
  const rules = [{ level: 'Metadata', users }, { level: 'None' }];
  return JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules,
  });
}

export interface AuditedRequest {
  user: string;
  verb: string;
  /** API group, empty for the core one. */
  group: string;
  /** Such as `pods` and `incidents/status`. */
  resource: string;
  namespace: string;
  name: string;
  code: number;
}

interface AuditEvent {
  verb: string;
  user: { username: string };
  impersonatedUser?: { username: string };
  objectRef?: {
    apiGroup?: string;
    resource: string;
    subresource?: string;
    namespace?: string;
    name?: string;
  };
  responseStatus?: { code?: number };
}

/** What the API server says was asked of it, in order. It writes each line before it answers. */
export function auditedRequests(file: string): AuditedRequest[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const { verb, user, impersonatedUser, objectRef, responseStatus } = JSON.parse(line) as AuditEvent;
    const { apiGroup = '', resource = '', subresource, namespace = '', name = '' } = objectRef ?? {};
    return {
      user: (impersonatedUser ?? user).username,
      verb,
      group: apiGroup,
      resource: subresource ? `${resource}/${subresource}` : resource,
      namespace,
      name,
      code: responseStatus?.code ?? 0,
    };
  });
}
