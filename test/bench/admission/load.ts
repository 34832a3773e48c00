/**
 * Sends reviews over kept-alive TLS connections, as fast as they are answered, and prints what it saw as one JSON
 * line. A process of its own: `node load.ts '{"url": ...}'`. Nothing of a request is made while it measures, and the
 * answer is read no further than its length and its verdict, so that the generator stays the smaller part.
 */
import { connect, type TLSSocket } from 'node:tls';
import { daemonSetReview, mixedReview, type Review, sizedReview } from './reviews.ts';

export interface LoadOptions {
  url: string;
  connections: number;
  seconds: number;
  /** Number of the first review; reviews of different numbers differ. */
  first: number;
  mix: 'day' | 'daemonset' | { bytes: number };
  /** Distinct reviews that are made before the clock starts; the load ends early when all are sent. */
  reviews: number;
}

export interface LoadResult {
  requests: number;
  seconds: number;
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  max: number;
  /** Answers with another verdict than the review asks for. */
  wrong: number;
  /** Requests without an answer of status 200. */
  errors: number;
  bytesPerReview: number;
}

function reviewsOf({ mix, reviews, first }: LoadOptions): Review[] {
  const make = (index: number) => {
    if (mix === 'day') return mixedReview(index);
    return mix === 'daemonset' ? daemonSetReview(index) : sizedReview(index, mix.bytes);
  };
  return Array.from({ length: reviews }, (_, offset) => make(first + offset));
}

export async function load(options: LoadOptions): Promise<LoadResult> {
  const url = new URL(options.url);
  const reviews = reviewsOf(options);
  const requests = reviews.map(({ body, allowed }) => {
    const head = `POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    return { bytes: Buffer.concat([Buffer.from(head), body]), allowed };
  });
  const times = new Float64Array(requests.length);
  let [next, answered, wrong, errors] = [0, 0, 0, 0];

  const sockets = await Promise.all(Array.from({ length: options.connections }, () => open(url)));
  const started = performance.now();
  const until = started + options.seconds * 1000;
  await Promise.all(
    sockets.map(async (socket) => {
      while (next < requests.length && performance.now() < until) {
        const { bytes, allowed } = requests[next++] as { bytes: Buffer; allowed: boolean };
        const sent = performance.now();
        const answer = await ask(socket, bytes);
        times[answered++] = performance.now() - sent;
        if (!answer.startsWith('HTTP/1.1 200')) errors++;
        else if (answer.includes('"allowed":true') !== allowed) wrong++;
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const socket of sockets) socket.destroy();
  const sorted = times.subarray(0, answered).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * answered) - 1)] ?? 0;
  const total = reviews.reduce((sum, { body }) => sum + body.length, 0);
  return {
    requests: answered,
    seconds,
    perSecond: answered / seconds,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    wrong,
    errors,
    bytesPerReview: Math.round(total / reviews.length),
  };
}

function open({ hostname, port }: URL): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      socket.off('error', reject);
      resolve(socket.setNoDelay(true).setEncoding('latin1'));
    });
    socket.once('error', reject);
  });
}

const LENGTH = /\r\ncontent-length: *(\d+)/i;

/** Sends one request; resolves to the whole answer, or to an empty text when the connection ended. */
function ask(socket: TLSSocket, request: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    let length = -1;
    const done = (answer: string) => {
      socket.off('data', read).off('close', ended);
      resolve(answer);
    };
    const ended = () => done('');
    const read = (chunk: string) => {
      text += chunk;
      if (length < 0) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        length = end + 4 + Number(LENGTH.exec(text.slice(0, end))?.[1] ?? 0);
      }
      if (text.length >= length) done(text);
    };
    if (socket.destroyed) return resolve('');
    socket.on('data', read).once('close', ended);
    socket.write(request);
  });
}

if (import.meta.main)
  console.log(JSON.stringify(await load(JSON.parse(process.argv[2] ?? '{}') as LoadOptions)));
