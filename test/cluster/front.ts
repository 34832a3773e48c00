import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What a Service is in a cluster: one address in front of several servers, each connection to the next that answers. */
export class Front {
  readonly port: number;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #ports: readonly number[] = [];
  #next = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async open(): Promise<Front> {
    const server = createServer((socket) => front.#pass(socket, front.#ports.length));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const front = new Front(server);
    return front;
  }

  /** Ports on loopback that connections go to from now on. */
  leadsTo(ports: readonly number[]): void {
    this.#ports = ports;
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
  }

  #pass(socket: Socket, tries: number): void {
    const port = this.#ports[this.#next++ % Math.max(this.#ports.length, 1)];
    if (port === undefined || tries === 0) {
      socket.destroy();
      return;
    }
    const behind = connect(port, '127.0.0.1');
    for (const each of [socket, behind]) {
      this.#open.add(each);
      each.once('close', () => this.#open.delete(each));
    }
    const again = () => this.#pass(socket, tries - 1);
    behind.once('error', again);
    behind.once('connect', () => {
      behind.off('error', again);
      behind.on('error', () => socket.destroy());
      socket.on('error', () => behind.destroy());
      socket.pipe(behind).pipe(socket);
    });
  }
}
