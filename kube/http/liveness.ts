import type { TLSSocket } from 'node:tls';

/** How often a PING goes out over HTTP/2, and is expected back; as client-go has it (ReadIdleTimeout). */
export const PING_MS = 30_000;

/**
 * Cuts an HTTP/2 connection over which nothing has come for two to three PINGs. A watch may be silent for minutes, so
 * that one whose peer has vanished looks like one without news: only the answers to PINGs tell them apart. The HTTP
 * client sends PINGs but does not miss the answers. HTTP/1.1 has nothing like it and is left alone.
 */
export function cutWhenDead(
  socket: Pick<TLSSocket, 'alpnProtocol' | 'bytesRead' | 'destroy' | 'once'>,
  pingMs = PING_MS,
): void {
  if (socket.alpnProtocol !== 'h2') return;
  let read = socket.bytesRead;
  let silent = 0;
  const timer = setInterval(() => {
    silent = socket.bytesRead === read ? silent + 1 : 0;
    read = socket.bytesRead;
    if (silent === 2) socket.destroy(new Error('the connection is dead: PINGs are not answered'));
  }, pingMs);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}
