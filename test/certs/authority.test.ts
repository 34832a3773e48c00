import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';

describe('certificates of our own', () => {
  test('a TLS client that trusts the authority accepts the name and the address', async () => {
    const authority = await makeAuthority();
    const pair = await issueServingPair(authority, ['localhost', '127.0.0.1']);
    const server = createServer({ key: pair.key, cert: pair.certificate }, (socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    for (const servername of ['localhost', '']) {
      const client = connect({ host: '127.0.0.1', port, servername, ca: authority.certificate });
      await once(client, 'secureConnect');
      expect(client.authorized).toBe(true);
      client.destroy();
    }
    const stranger = connect({ host: '127.0.0.1', port, servername: 'elsewhere', ca: authority.certificate });
    const [error] = await once(stranger, 'error');
    expect(error.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    server.close();
  });
});
