import { request } from 'undici';

const TIMEOUT_MS = 5_000;

/**
 * Posts JSON. A user and a password in the address are sent as Basic credentials (RFC 7617). Rejects for whatever is
 * no success, with a message that holds nothing of the address.
 */
export async function post(address: string, path: string, payload: object): Promise<void> {
  const url = new URL(address);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (path !== '') url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'kubesentry',
      ...(username !== '' && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
    },
    body: JSON.stringify(payload),
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  await body.dump();
  if (statusCode >= 300) throw new Error(`it answered ${statusCode}`);
}

/** For the log: the path and the user part of such an address are often a secret. */
export function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'an address';
}
