import { UNKNOWN } from '../text.ts';

/** What flows through pipes and files while a script is read. */
export interface Data {
  /** The bytes as text (latin1 where they are no text); undefined when only run time knows them. */
  text?: string | undefined;
  /** Where unknown bytes come from: the addresses of a download. */
  downloadedFrom?: readonly string[] | undefined;
  /** True when the text came out of a decoder. */
  decoded?: boolean | undefined;
  /** True when a text of the script itself was decoded in a way that is not known here. */
  sealed?: boolean | undefined;
}

/** Stands for output that only run time knows, between output that is known. */
const UNKNOWN_LINE = `${UNKNOWN}\n`;

export const NOTHING: Data = { text: '' };
export const UNKNOWN_DATA: Data = {};

/** Values longer than this are cut, so that doubling a variable costs nothing. */
export const VALUE_LIMIT = 64 * 1024;

/** One output after the other. */
export function concatenate(first: Data, second: Data): Data {
  if (first.text === '') return second;
  if (second.text === '') return first;
  const urls = [...(first.downloadedFrom ?? []), ...(second.downloadedFrom ?? [])];
  return {
    text:
      first.text === undefined && second.text === undefined
        ? undefined
        : bounded(`${first.text ?? UNKNOWN_LINE}${second.text ?? UNKNOWN_LINE}`),
    downloadedFrom: urls.length === 0 ? undefined : urls.slice(0, 8),
    decoded: first.decoded || second.decoded,
    sealed: first.sealed || second.sealed,
  };
}

/** Every `from`, which is not empty, becomes `to`; cut like every value, also on the way there. */
export function replaceEach(text: string, from: string, to: string): string {
  let result = '';
  let at = 0;
  for (
    let next = text.indexOf(from);
    next >= 0 && result.length < VALUE_LIMIT;
    next = text.indexOf(from, at)
  ) {
    result += text.slice(at, next) + to;
    at = next + from.length;
  }
  return bounded(result + text.slice(at));
}

export function bounded(text: string): string {
  return text.length > VALUE_LIMIT ? text.slice(0, VALUE_LIMIT) : text;
}
