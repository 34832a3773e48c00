/**
 * The most that Node can do here: TLS, JSON in, one regular expression over every container, JSON out, and nothing
 * that a product needs. `node ceiling.ts PORT`
 */
import { createServer } from 'node:https';
import { ephemeralCertificate } from '../../../webhook/certificate-sources.ts';
import { MINER } from './regular-expression.ts';

interface Container {
  image: string;
  command?: string[];
  args?: string[];
}

const { cert, key } = (await ephemeralCertificate(['127.0.0.1'])).current;
const server = createServer({ cert, key }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { request: asked } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const spec = asked.object.spec.template?.spec ?? asked.object.spec;
    const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])] as Container[];
    const allowed = !containers.some(({ image, command = [], args = [] }) =>
      MINER.test([image, ...command, ...args].join(' ')),
    );
    const body = JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: asked.uid, allowed },
    });
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  });
});
server.keepAliveTimeout = 120_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
