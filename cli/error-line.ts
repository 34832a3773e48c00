import type { KubesentryError } from '../api/errors.ts';
import { printable } from '../api/printable.ts';

/** What went wrong, with the code by which docs/reference/errors.md knows it. A wrong option needs none. */
export function errorLine({ code, message }: KubesentryError): string {
  // The API server repeats what others named; its own lines stay.
  const lines = message.split('\n').map(printable);
  return `error: ${lines.join('\n')}${code === 'USAGE' ? '' : ` (${code})`}\n`;
}
