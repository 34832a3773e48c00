/** Control characters, and those by which text is shown in another order than it is written. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const NAMED: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML and SVG, content and attributes: what an attacker named is text, and all of it is seen. */
export function escapeMarkup(text: string): string {
  return shown(text).replace(/[&<>"']/g, (letter) => NAMED[letter] ?? letter);
}

/** Characters that nobody sees become their code. Halves of pairs, which no encoding knows, too. */
function shown(text: string): string {
  return text
    .toWellFormed()
    .replace(INVISIBLE, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
