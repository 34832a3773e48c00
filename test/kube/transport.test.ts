import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpCluster } from '../../kube/http/cluster.ts';
import { Transport } from '../../kube/http/transport.ts';
import { KIND } from '../../kube/kind.ts';

const key = { name: 'a', namespace: 'n' };

describe('the API server, when it is not well', () => {
  let answer: RequestListener;
  let server: Server;
  let cluster: HttpCluster;
  let sockets: number;

  beforeEach(async () => {
    sockets = 0;
    server = createServer((req, res) => answer(req, res));
    server.on('connection', () => {
      sockets += 1;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    cluster = new HttpCluster(new Transport(url, new Agent(), async () => ({ authorization: 'Bearer t' })));
  });
  afterEach(async () => {
    await cluster.close();
    server.closeAllConnections();
    server.close();
  });

  const status = (code: number, body: string) => {
    answer = (_req, res) => {
      res.statusCode = code;
      res.end(body);
    };
  };
  const because = (message: string) => JSON.stringify({ kind: 'Status', message });

  test.each([
    [400, because('bad'), 'KUBE_REFUSED', 'bad'],
    [401, because('Unauthorized'), 'KUBE_UNREACHABLE', 'wrong or expired (401 Unauthorized).'],
    [403, because('pods is forbidden'), 'KUBE_REFUSED', 'pods is forbidden'],
    [409, because('modified'), 'KUBE_CONFLICT', 'modified'],
    [410, because('too old'), 'KUBE_CONFLICT', 'too old'],
    [422, because('invalid'), 'KUBE_REFUSED', 'invalid'],
    [429, because('slow down'), 'KUBE_UNREACHABLE', 'slow down'],
    [500, because('etcdserver: leader changed'), 'KUBE_UNREACHABLE', 'leader changed'],
    [
      500,
      because('Internal error occurred: failed calling webhook "w"'),
      'KUBE_REFUSED',
      'failed calling webhook',
    ],
    [409, because('admission webhook "w" denied the request: no'), 'KUBE_REFUSED', 'denied the request: no'],
    [503, '<html>no healthy upstream</html>', 'KUBE_UNREACHABLE', 'GET /api/v1/namespaces/n/configmaps/a'],
    [200, 'not JSON', 'KUBE_UNREACHABLE', 'is not valid JSON'],
  ])('%i %s is %s', async (code, body, expected, message) => {
    status(code, body);
    await expect(cluster.get(KIND.ConfigMap, key)).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(message),
    });
  });

  test('a connection that is cut is KUBE_UNREACHABLE, and the next call makes a new one', async () => {
    answer = (req) => req.socket.destroy();
    await expect(cluster.get(KIND.ConfigMap, key)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
    status(200, '{"metadata":{}}');
    expect(await cluster.get(KIND.ConfigMap, key)).toEqual({ metadata: {} });
  });

  test('calls share connections', async () => {
    status(200, '{"metadata":{}}');
    for (let i = 0; i < 50; i++) await cluster.get(KIND.ConfigMap, key);
    // The one before may not be free yet when the next call comes.
    expect(sockets).toBeLessThanOrEqual(2);
  });

  test('every call says who asks', async () => {
    const heard: unknown[] = [];
    answer = (req, res) => {
      heard.push(req.headers.authorization);
      res.end('{}');
    };
    await cluster.get(KIND.ConfigMap, key);
    expect(heard).toEqual(['Bearer t']);
  });

  async function watch(lines: string[], end: 'end' | 'cut'): Promise<unknown[]> {
    answer = (req, res) => {
      res.write(lines.map((line) => `${line}\n`).join(''), () => {
        if (end === 'end') res.end();
        else setImmediate(() => req.socket.destroy());
      });
    };
    const seen: unknown[] = [];
    const { signal } = new AbortController();
    for await (const event of cluster.watch(KIND.ConfigMap, { resourceVersion: '1', signal }))
      seen.push(event);
    return seen;
  }

  const bookmark = '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}';

  test('a watch that the server ends, ends', async () => {
    expect(await watch([bookmark], 'end')).toEqual([{ type: 'BOOKMARK', resourceVersion: '7' }]);
  });

  test('a watch that is cut is KUBE_UNREACHABLE', async () => {
    await expect(watch([bookmark], 'cut')).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
  });

  test.each([
    ['a version that is gone', '{"type":"ERROR","object":{"code":410,"message":"too old"}}', 'KUBE_CONFLICT'],
    ['another error', '{"type":"ERROR","object":{"code":500,"message":"broken"}}', 'KUBE_UNREACHABLE'],
    ['a line that is not JSON', '{"type":"ADD', 'KUBE_UNREACHABLE'],
    ['a line that is no event', '[]', 'KUBE_UNREACHABLE'],
    ['null', 'null', 'KUBE_UNREACHABLE'],
    ['an event without an object', '{"type":"ADDED"}', 'KUBE_UNREACHABLE'],
  ])('%s in a watch is an error', async (_what, line, code) => {
    await expect(watch([bookmark, line], 'end')).rejects.toMatchObject({ code });
  });

  test('a watch ends without an error when its signal aborts', async () => {
    answer = (_req, res) => {
      res.write(`${bookmark}\n`);
    };
    const stop = new AbortController();
    const options = { resourceVersion: '1', signal: stop.signal };
    for await (const event of cluster.watch(KIND.ConfigMap, options)) {
      expect(event.type).toBe('BOOKMARK');
      stop.abort();
    }
  });
});
