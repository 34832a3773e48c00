import { escapeMarkup as e } from '../escape.ts';

/** Every figure is as wide as the page, in units of its own. */
export const WIDTH = 960;

/** An inline SVG that screen readers can tell of: `description` says in words what it shows. `id` is its own in the page. */
export function figure(
  id: string,
  { title, description, height }: { title: string; description: string; height: number },
  content: string,
): string {
  return (
    `<figure><svg viewBox="0 0 ${WIDTH} ${Math.ceil(height)}" role="img" aria-labelledby="${id}-t ${id}-d">` +
    `<title id="${id}-t">${e(title)}</title><desc id="${id}-d">${e(description)}</desc>${content}</svg></figure>`
  );
}

/** Text that is cut where it would leave the figure; about 7.9 units a letter at 13 units of a monospaced font. */
export function label(x: number, y: number, text: string, kind = ''): string {
  const room = Math.max(Math.floor((WIDTH - x) / 7.9), 4);
  const cut = text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  return `<text x="${round(x)}" y="${round(y)}"${kind && ` class="${kind}"`}>${e(cut)}</text>`;
}

export const round = (number: number): number => Math.round(number * 10) / 10;
