import { mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoot } from './recorder.ts';

let count = 0;

/** A cgroup v2 folder of a test, removed at the end of its block; its processes are killed first. */
export class CgroupFolder implements Disposable {
  readonly path: string;
  readonly id: number;
  /** From the root of the hierarchy, as the kernel tells it. */
  readonly name: string;

  constructor(parent?: CgroupFolder) {
    const own = parent ? 'inner' : `kubesentry-test-${process.pid}-${count++}`;
    this.name = `${parent?.name ?? ''}/${own}`;
    this.path = join(parent?.path ?? cgroupRoot(), own);
    mkdirSync(this.path);
    this.id = statSync(this.path).ino;
  }

  /** Shell words that move the shell into the cgroup. */
  get enter(): string {
    return `echo $$ > ${this.path}/cgroup.procs`;
  }

  [Symbol.dispose](): void {
    writeFileSync(join(this.path, 'cgroup.kill'), '1');
    while (readFileSync(join(this.path, 'cgroup.events'), 'utf8').includes('populated 1')) {
      // The kill is under way; it takes microseconds.
    }
    rmdirSync(this.path);
  }
}
