/** Stands in a folded shell word for what only run time knows. Never part of input: it is removed there. */
export const UNKNOWN = '\0';

/** Letters of other scripts that look like Latin ones (Unicode TR39 confusables, the part that fools a reader). */
const LOOKALIKES: Record<string, string> = Object.fromEntries(
  Object.entries({
    a: 'аɑα',
    b: 'Ьь',
    c: 'сϲⅽ',
    d: 'ԁⅾ',
    e: 'еҽ℮',
    g: 'ɡց',
    h: 'һհ',
    i: 'іıɩιⅰ',
    j: 'јϳ',
    k: 'κк',
    l: 'ӏⅼ',
    m: 'мⅿ',
    n: 'ոռп',
    o: 'оοօᴏ',
    p: 'рρ',
    q: 'ԛգ',
    r: 'гᴦ',
    s: 'ѕꜱ',
    t: 'тτ',
    u: 'υսᴜ',
    v: 'νѵⅴ',
    w: 'ԝѡ',
    x: 'хχⅹ',
    y: 'уүγ',
    z: 'ᴢ',
    '-': '‐‑‒–—−﹣－',
    '/': '∕⁄',
    ':': '∶꞉',
    '.': '․',
  }).flatMap(([plain, others]) => [...others].map((other) => [other, plain])),
);

/**
 * The form that names and addresses are compared in: lower case, compatibility forms undone (NFKC), look-alike
 * letters made Latin, invisible characters dropped. Plain ASCII takes the short way.
 */
export function fold(text: string): string {
  let plain = true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f || code === 0) return foldLetters(text);
    if (code >= UPPER_A && code <= UPPER_Z) plain = false;
  }
  return plain ? text : text.toLowerCase();
}

const [UPPER_A, UPPER_Z] = [0x41, 0x5a];

function foldLetters(text: string): string {
  let folded = '';
  for (const letter of text.normalize('NFKC').toLowerCase()) {
    if (letter === UNKNOWN || /\p{Cf}|\p{Mn}/u.test(letter)) continue;
    folded += LOOKALIKES[letter] ?? letter;
  }
  return folded;
}

/** The parts of a name between anything that is not a letter or a digit. */
export function tokens(text: string): string[] {
  if (/^[a-z0-9]*$/.test(text)) return text === '' ? [] : [text];
  // The plain pattern is ten times as fast.
  const between = /^[\0-\x7f]*$/.test(text) ? /[^A-Za-z0-9]+/ : /[^\p{L}\p{N}]+/u;
  return text.split(between).filter(Boolean);
}
