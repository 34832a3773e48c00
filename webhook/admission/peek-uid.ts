import { endOfString } from '../json-nesting.ts';

/** The API server writes the uid first in the request; what comes later than this was not written by it. */
const WINDOW = 64 * 1024;

const text = new TextDecoder();

/**
 * Reads `request.uid` from the beginning of an AdmissionReview that cannot be parsed as a whole: cut off, too long or
 * too deep. Other fields called uid do not count. Undefined when it is not there.
 */
export function peekUid(json: Uint8Array): string | undefined {
  const bytes = json.subarray(0, WINDOW);
  let depth = 0;
  let key = '';
  let afterColon = false;
  let inRequest = false;
  for (let at = 0; at < bytes.length; at++) {
    switch (String.fromCharCode(bytes[at] as number)) {
      case '"': {
        const end = endOfString(bytes, at);
        if (end === bytes.length) return undefined;
        const token = bytes.subarray(at, end + 1);
        if (depth <= 2 && !afterColon) key = text.decode(token.subarray(1, -1));
        else if (depth === 2 && inRequest && key === 'uid') return uidOf(token);
        at = end;
        break;
      }
      case ':':
        afterColon = true;
        break;
      case ',':
        afterColon = false;
        break;
      case '{':
        depth++;
        if (depth === 2) inRequest = key === 'request';
        afterColon = false;
        break;
      case '[':
        depth++;
        break;
      case '}':
      case ']':
        depth--;
        if (depth < 2) inRequest = false;
        break;
    }
  }
  return undefined;
}

function uidOf(token: Uint8Array): string | undefined {
  try {
    const uid: unknown = JSON.parse(text.decode(token));
    return typeof uid === 'string' && uid !== '' && uid.length <= 256 ? uid : undefined;
  } catch {
    return undefined;
  }
}
