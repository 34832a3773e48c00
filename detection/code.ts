import { isPoolShaped, type Word } from './arguments.ts';
import { fillInConstants, type Literal } from './code-constants.ts';
import { deployText } from './deploy.ts';
import { ASKS, isFetchable, judgeDownloadedRun, judgeKubelet, judgeUrl, KUBELET } from './download.ts';
import { isStratum, parseEndpoint } from './endpoint.ts';
import { hasDomain } from './indicators.ts';
import { judgeArguments } from './miner-arguments.ts';
import { nameIn } from './names.ts';
import { type Data, UNKNOWN_DATA, VALUE_LIMIT } from './shell/data.ts';
import { decodeBase64, decodeHex, inflate, inflateBare } from './shell/decode.ts';
import { unescapeAnsi } from './shell/escapes.ts';
import type { Machine } from './shell/machine.ts';
import { findWallets } from './wallet/wallet.ts';
import { xorDecoded } from './xor.ts';

/** A call that starts a program, right before its first argument. */
const SPAWN =
  /\b(run|call|check_call|check_output|popen|system|getoutput|getstatusoutput|exec\w*|spawn\w*|shell_exec|passthru|posix_spawn|proc_open|backtick|fork|qx|os\.execute|(?:bash_)?commands?\s*=|cmds?\s*=|\.command|\b(?:sh|bat|pwsh|powershell)(?=\s*\(?\s*(?:script\s*:\s*)?$))\s*\(?\s*(?:script\s*:\s*)?(?:new\s+String\s*\[\]\s*\{)?[[(]?\s*[rbfu]*$/i;

/** `"curl …".execute()` of Groovy, with one string or a list of them. */
const EXECUTES = /^\s*\]?\s*\.execute\(/;
const RUNS =
  /\b(exec(?:[lv]p?e?)?|eval|system|popen|spawn\w*|subprocess|child_process|execSync|execFile|shell_exec|passthru|chmod|fork|compile|instance_eval|iex|Invoke-Expression|Start-Process)\b/i;
const FETCHES =
  /\b(urlopen|urlretrieve|requests|urllib\w*|fetch|https?\.get|LWP|file_get_contents|curl\w*|open-uri|URI\.open|Net::HTTP|axios|wget|HTTP::Tiny|DownloadString|DownloadFile|Invoke-WebRequest|iwr)\b/i;
const DECODES =
  /base64|b64decode|atob|decode_base64|unhexlify|fromhex|zlib|decompress|Buffer\.from|hex2bin|pack\b|decode64|\bint\(\w+,\s*16\)/i;

/** The functions that read hexadecimal, each language in its way. */
const HEX = /unhexlify|fromhex|\bint\(\w+,\s*16\)|['"]hex['"]|\bH\*|hex2bin/;

/** Deflate without a head: PHP, Node.js, and Python's negative window. */
const BARE_DEFLATE = /gzinflate|inflateRaw|-\s*15\b/;

/** `exec(urlopen(ADDRESS).read())`, wherever the address comes from. */
const RUNS_FETCHED =
  /\b(?:exec|eval)\s*\([^\n]{0,120}?\b(?:urlopen|requests\.get|file_get_contents|fetch)\s*\(/i;

/** `exec(base64.b64decode("..."))` and its kin. */
const RUNS_DECODED =
  /\b(?:exec|eval|system)\s*\([^\n]{0,40}?\b(?:b64decode|base64_decode|atob|unhexlify|fromhex|Buffer\.from)\s*\(/;

const LITERAL_LIMIT = 512;
const DEPTH_LIMIT = 4;

/** Calls that turn numbers into text. */
const CHARACTERS = /\bchr\b|fromCharCode|fromCodePoint|\bbytes\b|bytearray|pack\b|Buffer\.from/;
const POSTS = /\.post\(|\b(?:POST|method)\b/;
const PRINTS = /\b(print|puts|echo|console\.log|stdout\.write|say)\b/;

/**
 * Judges a program in Python, Perl, Node.js, Ruby or PHP as far as its string literals and calls go. Returns what
 * it would print, when that is a literal that it decodes.
 */
export function judgeCode(given: string, path: string, machine: Machine, depth = 0): Data {
  if (depth > DEPTH_LIMIT || !machine.docket.spend(given.length, path)) return UNKNOWN_DATA;
  // `%q(…)` of Ruby and `q(…)` of Perl are strings too.
  const plain = given.includes('q(')
    ? given.replace(/(?:%[qQ]|\bqq?)\(([^()"\n]{0,4096})\)/g, ' "$1"')
    : given;
  const { code, literals } = readLiterals(plain, path, machine);
  const runs = RUNS.test(code);
  for (const group of groupsOf(literals, code)) {
    const words: Word[] = group.map(({ text }) => ({ text, path }));
    const [first] = words;
    const [literal] = group;
    if (!first || !literal) continue;
    const last = group.at(-1) ?? literal;
    if (
      SPAWN.test(code.slice(Math.max(literal.from - 48, 0), literal.from)) ||
      EXECUTES.test(code.slice(last.to, last.to + 16))
    ) {
      if (words.length === 1 || /\s/.test(first.text)) machine.runScript(first.text, path);
      else machine.call(words);
    } else if (runs && words.length > 2) judgeArguments(words, machine.docket);
    // A part of a command line that the program puts together.
    else if (runs && words.length === 1 && / -{1,2}[A-Za-z]/.test(first.text))
      judgeArguments(split(first), machine.docket);
  }
  for (const literal of literals) judgeLiteral(literal, code, path, machine);
  const found = [...literals.flatMap(({ text }) => decodedOf(text, code) ?? []), ...numbersOf(code)];
  const inner = XORS.test(plain) ? found.concat(xorOf(literals, found)) : found;
  for (const text of inner) judgeDecoded(text, path, machine, runs, depth);
  // A program that is handed to another interpreter: `add_argument("-cimport os;exec(...)")`.
  for (const { text } of literals)
    if (text.length > 24 && text.length < given.length && RUNS_DECODED.test(text))
      judgeCode(text, path, machine, depth + 1);
  judgeMessage(code, path, machine);
  // An address may be encoded too.
  const words = [...literals.map(({ text }) => text), ...inner].flatMap((text) =>
    text.includes('://') ? text.split(/\s+/, 64) : [],
  );
  const urls = [...new Set(words)].filter(isFetchable);
  for (const text of urls) judgeUrl({ text, path }, machine);
  const kubelet = literals.find(({ text }) => KUBELET.test(text));
  const asks = kubelet && literals.some(({ text }) => ASKS.test(text));
  if (kubelet && !asks && POSTS.test(code)) judgeKubelet(kubelet.text, path, machine);
  if (runs && FETCHES.test(code) && (urls.length > 0 || RUNS_FETCHED.test(code)))
    judgeDownloadedRun({ downloadedFrom: urls }, path, machine, true);
  if (runs && /memfd_create/.test(code) && FETCHES.test(code))
    machine.docket.report(
      'hidden-path',
      path,
      'It runs what it fetched from memory, without a file.',
      undefined,
      50,
    );
  return PRINTS.test(code) && inner.length > 0 ? { text: inner.join('\n'), decoded: true } : UNKNOWN_DATA;
}

/** So often names are replaced by what they stand for: `a = "x"; b = a + ":1"`. */
const FILL_LIMIT = 3;

function readLiterals(
  given: string,
  path: string,
  { docket }: Machine,
): { code: string; literals: readonly Literal[] } {
  let code = given;
  let literals = joinedOf(literalsOf(code), code);
  for (let round = 0; round < FILL_LIMIT; round++) {
    const filled = fillInConstants(code, literals, VALUE_LIMIT);
    if (filled === undefined || !docket.spend(filled.length, path)) break;
    code = filled;
    literals = joinedOf(literalsOf(code), code);
  }
  return { code, literals };
}

/** What a program loads under a name: `require("x")`, `import "x"`, `from "x"`. */
const LOADS = /\b(?:require|import|from)\s*\(?\s*$/;

function split({ text, path }: Word): Word[] {
  return text.split(/\s+/, 64).map((part) => ({ text: part, path }));
}

function judgeLiteral({ text, from, to }: Literal, code: string, path: string, machine: Machine): void {
  const { docket } = machine;
  if (
    LOADS.test(code.slice(Math.max(from - 16, 0), from)) &&
    nameIn(text, docket.indicators)?.kind === 'miner'
  )
    docket.report('miner-name', path, `It loads ${text}.`, text);
  if (text.length > 64 && /\bapiVersion\b/.test(text) && /\bimage\b/.test(text))
    deployText(text, path, machine);
  const endpoint = text.length > 5 ? parseEndpoint(text) : undefined;
  if (endpoint && isStratum(endpoint))
    docket.report('stratum-url', path, `It names the pool ${endpoint.host}.`, text);
  else if (endpoint && hasDomain(docket.indicators.pools, endpoint.host)) {
    const connects =
      isPoolShaped(endpoint) || /^\s*,\s*(\w{1,24}\s*(=>|[:=])\s*)?\d{2,5}/.test(code.slice(to, to + 48));
    docket.report(
      connects ? 'pool-host' : 'pool-mention',
      path,
      `It names ${endpoint.host}, a mining pool.`,
      endpoint.host,
    );
  }
}

/** What a literal holds, when the program has the means to decode it. */
function decodedOf(text: string, code: string): string | undefined {
  if (text.length >= 8 && /rot.?13/i.test(code)) return rot13(text);
  if (text.length < 16 || !DECODES.test(code)) return undefined;
  const decoded = (HEX.test(code) ? decodeHex(text) : undefined) ?? decodeBase64(text);
  if (decoded === undefined) return undefined;
  return inflate(decoded) ?? (BARE_DEFLATE.test(code) ? inflateBare(decoded) : undefined) ?? decoded;
}

/** Combines numbers by exclusive or, in whatever language. */
const XORS = /\w\)?\s*\^\s*\(?\w|\bb?xor\b/i;

/** What literals say, as they are or decoded, when they are combined with a key; a short literal may be the key. */
function xorOf(literals: readonly Literal[], decoded: readonly string[]): string[] {
  const texts = literals.map(({ text }) => text);
  const keys = texts.filter((text) => text.length > 1 && text.length <= 32).slice(0, 8);
  const sealed = [...texts, ...decoded].filter((text) => text.length >= 12).slice(0, 32);
  return sealed.flatMap((text) => xorDecoded(text, keys) ?? []);
}

/** Lists of character codes. */
function numbersOf(code: string): string[] {
  if (!CHARACTERS.test(code)) return [];
  return [...code.matchAll(/(?:\b(?:0x[0-9a-f]{2}|\d{2,3})\s*,\s*){5,4096}(?:0x[0-9a-f]{2}|\d{2,3})\b/gi)]
    .slice(0, 8)
    .map(([list]) => String.fromCharCode(...list.split(',').map((number) => Number(number) & 0xff)));
}

function rot13(text: string): string {
  return text.replace(/[A-Za-z]/g, (letter) =>
    String.fromCharCode(letter.charCodeAt(0) + (letter.toLowerCase() < 'n' ? 13 : -13)),
  );
}

function judgeDecoded(text: string, path: string, machine: Machine, runs: boolean, depth: number): void {
  machine.docket.report('encoded-script', path, 'It decodes a text and may run it.', undefined, 20);
  judgeCode(text, path, machine, depth + 1);
  if (runs) machine.runScript(text, path);
}

/** What a miner in a page says first to the proxy of its pool. */
const HANDSHAKE = /\bidentifier\\?["']?\s*:\s*\\?["']handshake\b/;

/** A login with a password is the first line of CryptoNote's stratum, and of a few other services. */
function judgeMessage(code: string, path: string, { docket }: Machine): void {
  if (HANDSHAKE.test(code) && /\blogin\\?["']?\s*:/.test(code) && /\bpool\\?["']?\s*:/.test(code))
    docket.report('stratum-message', path, 'It holds the greeting of a miner in a page.', 'handshake');
  const [, method] =
    /\bmethod\\?["']?\s*(?::|=>)\s*\\?["'](mining\.subscribe|mining\.authorize|eth_submitLogin|login)\\?["']/.exec(
      code,
    ) ?? [];
  const isLogin = method === 'login';
  if (method === undefined || (isLogin && !/\blogin\\?["']?\s*(?::|=>)/.test(code))) return;
  const isPaid = isLogin && findWallets(code).some(({ mined }) => mined);
  const message = 'It holds a request of the stratum protocol.';
  docket.report('stratum-message', path, message, method, isLogin && !isPaid ? 40 : 80);
}

/** String literals, adjacent ones joined (`"xm" + "rig"`). Linear: every character is read once. */
function literalsOf(code: string): Literal[] {
  const literals: Literal[] = [];
  for (let at = 0; at < code.length && literals.length < LITERAL_LIMIT; at++) {
    const quote = code[at] as string;
    if (quote === '#' && (at === 0 || code[at - 1] === '\n')) {
      at = endOf(code, '\n', at);
      continue;
    }
    if (quote !== '"' && quote !== "'" && quote !== '`') continue;
    const triple = code.startsWith(quote.repeat(3), at);
    const mark = triple ? quote.repeat(3) : quote;
    const start = at + mark.length;
    const end = closing(code, mark, start);
    const text = unescapeAnsi(code.slice(start, end));
    const last = literals.at(-1);
    if (
      last &&
      /^\s*\+?\s*[rbfu]*$/.test(code.slice(last.to, Math.min(at, last.to + 32))) &&
      at - last.to < 32
    ) {
      last.text += text;
      last.to = end + mark.length;
    } else literals.push({ text, from: at, to: end + mark.length });
    at = end + mark.length - 1;
  }
  return literals;
}

/** A separator of what is joined is no longer. */
const SEPARATOR_LENGTH = 3;

/** `['stra', 'tum'].join('')` of JavaScript and `'.'.join(['stra', 'tum'])` of Python are one literal. */
function joinedOf(literals: readonly Literal[], code: string): readonly Literal[] {
  if (!/\.join\b/.test(code)) return literals;
  const between = (from: number, to: number) => (to - from < 32 ? code.slice(from, to) : '?');
  const found: Literal[] = [];
  for (let at = 0; at < literals.length; ) {
    let end = at;
    let next = literals[end + 1];
    while (next && /^\s*,\s*$/.test(between((literals[end] as Literal).to, next.from)))
      next = literals[++end + 1];
    const first = literals[at] as Literal;
    const last = literals[end] as Literal;
    const before = found.at(-1);
    const isPython = isSeparator(before) && /^\.join\(\s*[[(]\s*$/.test(between(before.to, first.from));
    const isScript = isSeparator(next) && /^\s*,?\s*\]\.join\(\s*$/.test(between(last.to, next.from));
    const separator = (isPython ? before : isScript ? next : undefined)?.text ?? '';
    const text = literals
      .slice(at, end + 1)
      .map((literal) => literal.text)
      .join(separator);
    if (isPython) found.pop();
    if (isScript) found.push({ text, from: first.from, to: next?.to ?? last.to });
    else if (isPython) found.push({ text, from: first.from, to: last.to });
    else {
      const more = literals.slice(at, end + 1).map((literal) => ({ ...literal }));
      if (before && /^[\])]{1,2}\s*\+\s*$/.test(between(before.to, first.from))) {
        before.text += first.text;
        before.to = first.to;
        more.shift();
      }
      found.push(...more);
    }
    at = end + (isScript ? 2 : 1);
  }
  return found;
}

function isSeparator(literal: Literal | undefined): literal is Literal {
  return literal !== undefined && literal.text.length <= SEPARATOR_LENGTH;
}

function closing(code: string, mark: string, start: number): number {
  for (let at = start; at < code.length; at++) {
    if (code[at] === '\\') at++;
    else if (code.startsWith(mark, at)) return at;
  }
  return code.length;
}

function endOf(code: string, mark: string, from: number): number {
  const at = code.indexOf(mark, from);
  return at < 0 ? code.length : at;
}

/** Literals with nothing but commas and brackets between them: the arguments of one call. */
function groupsOf(literals: readonly Literal[], code: string): Literal[][] {
  const groups: Literal[][] = [];
  for (const literal of literals) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    const near =
      last && literal.from - last.to < 32 && /^[\s,[\]()rbfu]*$/.test(code.slice(last.to, literal.from));
    if (group && near) group.push(literal);
    else groups.push([literal]);
  }
  return groups;
}
