/** Control characters, those that nobody sees or that turn text around, and the separators of lines. */
export const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line that others chose, as people may be shown it: nothing of it steers a terminal or begins another line. */
export function printable(text: string): string {
  return text.replace(STEERING, '?');
}
