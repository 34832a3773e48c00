import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TIMEOUTS } from '../../webhook/server.ts';
import { openScene, podOf, review, type Scene } from './harness.ts';

/** How long client-go keeps an idle connection (http.Transport.IdleConnTimeout). */
const API_SERVER_IDLE_MS = 90_000;

let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ timeouts: { keepAlive: 700, headers: 100, request: 100 } });
});
afterAll(() => scene[Symbol.asyncDispose]());

const body = JSON.stringify(review(podOf('web', 'shop')));
const request = `POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

describe('idle connections', () => {
  it('are kept longer than the API server keeps them', () => {
    expect(TIMEOUTS.keepAlive).toBeGreaterThan(API_SERVER_IDLE_MS);
  });

  it('outlive the timeouts of a request and end with their own', async () => {
    const { port } = new URL(scene.webhook.url);
    const socket = connect({ host: '127.0.0.1', port: Number(port), ca: scene.webhook.caBundle });
    const ask = async () => {
      socket.write(request);
      const [answer] = await once(socket, 'data');
      return String(answer);
    };
    expect(await ask()).toContain('200 OK');
    // Longer than headers and request may take: these clocks do not run between requests.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await ask()).toContain('200 OK');
    const idle = performance.now();
    await once(socket, 'close');
    expect(performance.now() - idle).toBeGreaterThan(600);
  });
});
