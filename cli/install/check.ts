import { KubesentryError } from '../../api/errors.ts';
import { columns } from '../columns.ts';
import { existing, namespace } from './check-existing.ts';
import { images, network, nodes } from './check-nodes.ts';
import { rights } from './check-rights.ts';
import type { Check, Finding, Situation } from './situation.ts';

/** Since then ValidatingAdmissionPolicy, matchConditions and appArmorProfile are part of every API server. */
const OLDEST_MINOR = 30;

const CHECKS: Readonly<Record<string, Check>> = {
  'API server': version,
  'admission policies': admissionPolicies,
  'your rights': rights,
  'what is there': existing,
  namespace,
  images,
  nodes,
  network,
};

/** Looks, changes nothing. Answers a table and whether anything is in the way. */
export async function check(situation: Situation): Promise<{ table: string; isFine: boolean }> {
  const rows: string[][] = [];
  for (const [name, look] of Object.entries(CHECKS)) {
    const { state, detail } = await look(situation).catch(unknown);
    rows.push([name, state, detail]);
  }
  return { table: columns(['CHECK', 'STATE', 'DETAIL'], rows), isFine: !rows.some(([, s]) => s === 'WRONG') };
}

function unknown(error: unknown): Finding {
  if (!(error instanceof KubesentryError) || error.code === 'KUBE_UNREACHABLE') throw error;
  return { state: 'unknown', detail: error.message };
}

async function version({ cluster }: Situation): Promise<Finding> {
  const { gitVersion } = await cluster.serverVersion();
  const minor = Number(/^v1\.(\d+)/.exec(gitVersion)?.[1]);
  if (!(minor >= OLDEST_MINOR)) {
    return { state: 'WRONG', detail: `${gitVersion}; Kubesentry needs 1.${OLDEST_MINOR} or newer` };
  }
  return { state: 'ok', detail: gitVersion };
}

async function admissionPolicies({ cluster }: Situation): Promise<Finding> {
  const isServed = await cluster.serves('admissionregistration.k8s.io/v1', 'validatingadmissionpolicies');
  return isServed
    ? { state: 'ok', detail: 'ValidatingAdmissionPolicy is served: a quarantine holds without any webhook' }
    : { state: 'WRONG', detail: 'ValidatingAdmissionPolicy v1 is not served: update the API server' };
}
