import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ControlSide, NODE } from './control-side.ts';

/** Options of an agent that reports to `control` and knows no API server. */
export async function reporting(folder: string, control: ControlSide): Promise<string[]> {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return [
    ...['--webhook', control.url, '--node', NODE, '--spool', join(folder, 'spool')],
    ...['--token-file', file('token', await control.token()), '--ca-file', file('ca.crt', control.caBundle)],
    ...['--kubeconfig', file('kubeconfig', JSON.stringify(nowhere()))],
  ];
}

/** A kubeconfig of a cluster whose API server is away: names of pods are missing, all else works. */
function nowhere() {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'none',
    clusters: [{ name: 'none', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'none', user: {} }],
    contexts: [{ name: 'none', context: { cluster: 'none', user: 'none' } }],
  };
}
