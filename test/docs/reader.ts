import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Block, ROOT } from './blocks.ts';

export interface Outcome {
  status: number | null;
  output: string;
}

const AUDIT_EVENT = {
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  level: 'Metadata',
  auditID: '7e0cbccf-8d8a-4f5f-aefb-60b8af2d2ad5',
  stage: 'ResponseComplete',
  requestURI: '/api/v1/namespaces/shop/pods/web/exec?command=sh',
  verb: 'create',
  user: { username: 'alice' },
  sourceIPs: ['192.0.2.10'],
  objectRef: { resource: 'pods', namespace: 'shop', name: 'web', apiVersion: 'v1', subresource: 'exec' },
  responseStatus: { code: 101 },
  requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
  stageTimestamp: '2026-01-01T00:00:01.000000Z',
};

/** Somebody who copies commands from the pages into a shell, in a clone of the repository, beside a cluster. */
export class Reader {
  readonly #home = mkdtempSync(join(tmpdir(), 'kubesentry-reader-'));
  readonly #clone = join(this.#home, 'kubesentry');
  readonly #env: NodeJS.ProcessEnv;
  readonly #enter: readonly string[];

  /**
   * `kubectl` is the command that reaches the cluster of `kubeconfig`; without one there is no cluster. `enter` are
   * the words that run a command where it is reached from.
   */
  constructor(kubectl: readonly string[], kubeconfig = '/nonexistent', enter: readonly string[] = []) {
    const bin = join(this.#home, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'kubectl'), `#!/bin/sh\nexec ${kubectl.map(quoted).join(' ')} "$@"\n`);
    chmodSync(join(bin, 'kubectl'), 0o755);
    mkdirSync(this.#clone);
    for (const name of readdirSync(ROOT)) {
      if (name !== '.git') symlinkSync(join(ROOT, name), join(this.#clone, name));
    }
    this.#haveManifestsAndAnAuditLog();
    const path = [bin, join(this.#home, '.local/bin'), join(ROOT, 'node_modules/.bin'), process.env.PATH];
    this.#enter = enter;
    this.#env = { ...process.env, HOME: this.#home, PATH: path.join(':'), KUBECONFIG: kubeconfig };
  }

  /** Runs a block as it stands, with the capital words of `names` replaced as the page asks for. */
  async follow({ text: script }: Block, names: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const known = Object.entries(names).reduce(
      (filled, [word, name]) => filled.replace(new RegExp(`\\b${word}\\b`, 'g'), name),
      script,
    );
    const [program = '', ...args] = [...this.#enter, 'bash', '-euo', 'pipefail', '-c', known];
    const shell = spawn(program, args, {
      cwd: this.#clone,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = new Promise<number | null>((resolve) => shell.once('close', resolve));
    const [stdout, stderr] = await Promise.all([text(shell.stdout), text(shell.stderr)]);
    return { status: await closed, output: stdout + stderr };
  }

  leave(): void {
    rmSync(this.#home, { recursive: true });
  }

  #haveManifestsAndAnAuditLog(): void {
    const folder = join(this.#clone, 'deploy');
    mkdirSync(folder);
    cpSync(join(ROOT, 'test/fixtures/nginx-deployment.yaml'), join(folder, 'nginx.yaml'));
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: [nginx.yaml]\n');
    writeFileSync(join(this.#clone, 'audit.json'), `${JSON.stringify(AUDIT_EVENT)}\n`);
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
