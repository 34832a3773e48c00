import type { Cluster } from '../../kube/cluster.ts';

type Method = 'get' | 'list' | 'watch' | 'create' | 'update';

/** A cluster some of whose methods do something else for as long as they are set. */
export function breakable(cluster: Cluster): { cluster: Cluster; broken: Partial<Pick<Cluster, Method>> } {
  const broken: Partial<Pick<Cluster, Method>> = {};
  const face = new Proxy(cluster, {
    get(target, name) {
      const method = broken[name as Method] ?? target[name as keyof Cluster];
      return typeof method === 'function' ? method.bind(target) : method;
    },
  });
  return { cluster: face, broken };
}
