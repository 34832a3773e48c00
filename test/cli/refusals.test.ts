import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ERRORS, KubesentryError } from '../../api/errors.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import type { Run } from '../../cli/commands.ts';
import { incidentsCommand } from '../../cli/plugin/incidents.ts';
import { releaseCommand } from '../../cli/plugin/release.ts';
import { reportCommand } from '../../cli/plugin/report.ts';

/** What the API server says to a DELETE; a cluster without Kubesentry otherwise. */
const DENIED =
  'admission webhook "guard.kubesentry.io" denied the request: release would weaken Kubesentry: ask the group';

let server: Server;
let folder: string;
let config: string;

beforeAll(async () => {
  server = createServer(({ method, url = '' }, response) => {
    if (method === 'DELETE') {
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: DENIED }));
    } else if (url.endsWith('/quarantines/shop')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ metadata: { name: 'shop' }, spec: { namespace: 'shop', bans: [] } }));
    } else response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  folder = mkdtempSync(join(tmpdir(), 'kubesentry-refusals-'));
  config = join(folder, 'kubeconfig');
  const { port } = server.address() as AddressInfo;
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
      ],
      users: [{ name: 'u', user: {} }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

async function refusal(command: Run, argv: string[]): Promise<KubesentryError> {
  const error = await command([...argv, '--kubeconfig', config]).then(
    () => undefined,
    (raised: unknown) => raised,
  );
  if (!(error instanceof KubesentryError)) throw new Error(`no refusal but ${error}`);
  return error;
}

it('who is not of the break-glass group reads how to act as a member, not of RBAC', async () => {
  const error = await refusal(releaseCommand, ['shop']);
  expect(error.code).toBe('BREAK_GLASS_NEEDED');
  expect(error.message).toBe(`Only the group ${BREAK_GLASS_GROUP} may do this.`);
  expect(ERRORS.BREAK_GLASS_NEEDED.remedy).toContain(`--as-group=${BREAK_GLASS_GROUP}`);
});

it('on a cluster without Kubesentry one reads that, and no path of its API', async () => {
  const error = await refusal(incidentsCommand, []);
  expect(error.code).toBe('NOT_INSTALLED');
  expect(error.message).not.toContain('/apis/');
});

it('a report that was cut off is a file to be given anew, not a request', async () => {
  const file = join(folder, 'report.json');
  writeFileSync(file, '{"incident": ');
  expect(await refusal(reportCommand, ['--verify', file])).toMatchObject({ code: 'REPORT_UNSIGNED' });
});
