import { afterEach, beforeEach } from 'vitest';
import { KubesentryError } from '../../../api/errors.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';

/** A cluster and a namespace of its own for every test. */
export interface Scene {
  readonly cluster: Cluster;
  readonly namespace: string;
  key(name: string): { name: string; namespace: string };
  configMap(name: string, data?: Record<string, string>, labels?: Record<string, string>): KubeObject;
}

let count = 0;

export async function makeNamespace(cluster: Cluster): Promise<string> {
  const name = `contract-${process.pid}-${count++}`;
  await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  return name;
}

export function useScene(open: () => Cluster): Scene {
  let cluster: Cluster;
  let namespace: string;
  beforeEach(async () => {
    cluster = open();
    namespace = await makeNamespace(cluster);
  });
  afterEach(() => cluster.delete(KIND.Namespace, { name: namespace }));
  return {
    get cluster() {
      return cluster;
    },
    get namespace() {
      return namespace;
    },
    key: (name) => ({ name, namespace }),
    configMap: (name, data = {}, labels = {}) => configMap(namespace, name, data, labels),
  };
}

export const configMap = (
  namespace: string,
  name: string,
  data: Record<string, string> = {},
  labels: Record<string, string> = {},
): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data });

/** The code of the KubesentryError that the promise rejects with; undefined when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    return error instanceof KubesentryError ? error.code : String(error);
  }
  return undefined;
}

export const namesOf = (objects: readonly KubeObject[]): (string | undefined)[] =>
  objects.map(({ metadata }) => metadata.name);
