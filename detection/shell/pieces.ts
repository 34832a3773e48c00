/** A script is parsed in pieces of about this length, cut at line ends, or within a line longer than LINE_LIMIT. */
const SCRIPT_LIMIT = 16 * 1024;
const LINE_LIMIT = 96 * 1024;

/** What the parser gets of a script, one piece after the other: what the grammar cannot read is put right first. */
export function piecesOf(script: string): string[] {
  return cut(openBraces(script.replaceAll('\\\n', '')));
}

function cut(script: string): string[] {
  const pieces: string[] = [];
  let at = 0;
  while (script.length - at > SCRIPT_LIMIT) {
    const end = script.indexOf('\n', at + SCRIPT_LIMIT);
    const next = Math.min(end < 0 ? script.length : end + 1, at + LINE_LIMIT);
    pieces.push(script.slice(at, next));
    at = next;
  }
  pieces.push(script.slice(at));
  return pieces;
}

/** `{curl,-s,http://…}|sh`: the grammar takes a brace at the start of a statement for a group. */
function openBraces(script: string): string {
  return script.replace(
    /(^|[\s;|&(])\{(?!["'])([^\s{}`;|&]{3,512})\}/g,
    (whole, before: string, list: string) =>
      list.includes(',') ? `${before}${list.replaceAll(',', ' ')}` : whole,
  );
}

/** A word that the shell reads as it stands. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
