import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ImageSettings {
  /** Options of Node in the ENTRYPOINT. */
  flags: string[];
  environment: Record<string, string>;
}

/** How an image starts Node, read from its stage of the Dockerfile, so that a bench measures what runs. */
export function imageSettings(stage: 'webhook' | 'agent'): ImageSettings {
  const file = readFileSync(join(import.meta.dirname, '../../../Dockerfile'), 'utf8');
  const text = file.split(/^FROM /m).find((part) => part.startsWith(`base AS ${stage}\n`)) ?? '';
  const entry = /^ENTRYPOINT (.*)$/m.exec(text)?.[1];
  if (entry === undefined) throw new Error(`The Dockerfile has no ENTRYPOINT for ${stage}.`);
  const variables = [...text.matchAll(/^ENV (\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => [
    name,
    value,
  ]);
  return {
    flags: (JSON.parse(entry) as string[]).filter((part) => part.startsWith('--')),
    environment: Object.fromEntries(variables) as Record<string, string>,
  };
}
