import type { ObjectKey } from '../cluster.ts';
import type { ResourceName } from '../kind.ts';
import type { LabelSelector } from '../selector.ts';

export interface User {
  username: string;
  groups: string[];
}

type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** A request that admission has to agree to. */
export interface AdmissionRequest {
  operation: Operation;
  kind: ResourceName;
  key: ObjectKey;
  subresource?: string | undefined;
  object?: object | undefined;
  oldObject?: object | undefined;
  user: User;
  dryRun: boolean;
  /** Labels of the namespace that the object is in, or of the namespace object itself. */
  namespaceLabels: Record<string, string> | undefined;
}

export interface Webhook {
  name: string;
  clientConfig: { url?: string; caBundle?: string };
  rules?: {
    operations: string[];
    apiGroups: string[];
    apiVersions: string[];
    resources: string[];
    scope?: 'Cluster' | 'Namespaced' | '*';
  }[];
  failurePolicy?: 'Fail' | 'Ignore';
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  timeoutSeconds?: number;
}
