import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { binaryOf, buildModule, type GoModule } from '../cluster/go-module.ts';

const ACTIONLINT: GoModule = {
  folder: join(import.meta.dirname, 'actionlint'),
  title: 'actionlint (some seconds)',
};

export const ensureActionlint = (log: (line: string) => void): Promise<string> =>
  buildModule(ACTIONLINT, log);

/** Its path, if it is built. */
export const findActionlint = (): string | undefined =>
  existsSync(binaryOf(ACTIONLINT)) ? binaryOf(ACTIONLINT) : undefined;
