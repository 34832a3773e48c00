import type { Word } from './arguments.ts';
import { deployText } from './deploy.ts';
import { isMiningPort } from './destination.ts';
import type { Docket } from './docket.ts';
import { isPublicAddress, isStratum, isWeb, parseEndpoint } from './endpoint.ts';
import { judgeImage } from './image.ts';
import { hasDomain } from './indicators.ts';
import { judgeArguments } from './miner-arguments.ts';
import { judgePoolScript } from './mining-page.ts';
import { isPoolName, minerWordScore, nameIn } from './names.ts';
import { isRecord, type JsonRecord } from './shape.ts';
import { type Data, NOTHING, UNKNOWN_DATA } from './shell/data.ts';
import type { Machine } from './shell/machine.ts';
import type { Call } from './shell/programs.ts';
import { fold, UNKNOWN } from './text.ts';
import { isMeantAsWallet, walletOf } from './wallet/wallet.ts';

/** Short options of curl and wget that take a value, by their manual pages. */
const CURL_VALUED = 'oHXduAexmTbcCDEFKPQUwYyzrt';
const WGET_VALUED = 'OPoaiBtTwQUe';
const LONG_VALUED =
  /^--(output|output-document|header|request|data(-\w+)?|user|user-agent|referer|proxy|max-time|connect-timeout|retry(-\w+)?|form|cookie(-jar)?|cacert|cert|key|resolve|directory-prefix|tries|timeout|out|dir|upload-file|write-out|interface|range|limit-rate)$/;

/** Of the core group, or of one by its name. */
const KUBE_API = /\/api(?:s\/[^\s/]{1,253})?\/v1/;

/** The kubelet's own way to run a command in a container. */
export const KUBELET = /:10250\/(?:run|exec)\//;

/** curl, wget and their kin: what they fetch goes to a file or on to the next command. */
export function judgeDownload({ words, stdin, machine }: Call): Data {
  const program = words[0]?.text.replace(/^.*\//, '') ?? '';
  if (/^(nc|ncat|netcat|socat)$/.test(program)) return judgeNetcat(words, stdin, machine);
  if (program === 'ftpget' || program === 'tftp') return judgeFtp(words, program, machine);
  const { urls, target } = readDownload(words, program);
  for (const url of urls) judgeUrl(url, machine);
  const data: Data = { downloadedFrom: urls.map(({ text }) => text).slice(0, 8) };
  if (urls.length === 0) return UNKNOWN_DATA;
  if (urls.some(({ text }) => /\/containers\/create\b/.test(text))) judgeEngineRequest(words, machine);
  if (urls.some(({ text }) => KUBE_API.test(text))) judgeApiRequest(words, stdin, machine);
  const kubelet = urls.find(({ text }) => KUBELET.test(text));
  if (kubelet) judgeKubeletRequest(kubelet, words, machine);
  const toStdout =
    target === '-' ||
    target === '/dev/stdout' ||
    (target === undefined && /^(curl|lynx|fetch|get|http|https|lwp-request)$/i.test(program));
  if (toStdout) return data;
  machine.keep(target ?? fileNameOf(urls[0]?.text ?? ''), data);
  return NOTHING;
}

function readDownload(words: readonly Word[], program: string): { urls: Word[]; target: string | undefined } {
  const valued = program.startsWith('wget') ? WGET_VALUED : CURL_VALUED;
  const output = program.startsWith('wget') ? 'O' : 'o';
  const urls: Word[] = [];
  let target: string | undefined;
  let prefix: string | undefined;
  for (let at = 1; at < words.length; at++) {
    const word = words[at] as Word;
    const { text } = word;
    const folder = program.startsWith('wget') ? /^(?:-P|--directory-prefix=?)(.*)$/s.exec(text) : null;
    if (folder) {
      prefix = `${folder[1] || (words[++at]?.text ?? '')}/`;
      continue;
    }
    const long = /^--(output|output-document|out)(?:=(.*))?$/s.exec(text);
    if (long) target = long[2] ?? words[++at]?.text;
    else if (text.startsWith('--')) {
      if (LONG_VALUED.test(text)) at++;
      else if (text === '--remote-name') target ??= '';
    } else if (text.startsWith('-') && text.length > 1) {
      const letter = [...text.slice(1)].findIndex((flag) => valued.includes(flag));
      const glued = letter < 0 ? '' : text.slice(letter + 2);
      const value = letter < 0 || glued !== '' ? glued : words[++at]?.text;
      if (letter >= 0 && text[letter + 1] === output) target = value;
      else if (program === 'curl' && text.includes('O')) target ??= '';
    } else urls.push(word);
  }
  if (program === 'lwp-download' && urls.length > 1) target ??= urls.pop()?.text;
  if (prefix !== undefined) target ??= `${prefix}${fileNameOf(urls[0]?.text ?? '')}`;
  return { urls, target: target === '' ? fileNameOf(urls[0]?.text ?? '') : target };
}

/** A container that is asked of Docker's own API, by its socket or its port. */
function judgeEngineRequest(words: readonly Word[], machine: Machine): void {
  const body = words.find(({ text }) => text.trimStart().startsWith('{'));
  if (!body) return;
  const { Image, Entrypoint, Cmd } = requestOf(body.text);
  if (typeof Image === 'string') judgeImage(Image, body.path, machine.docket);
  const command = [Entrypoint, Cmd].flatMap((part) => part ?? []).filter((word) => typeof word === 'string');
  if (command.length > 0) machine.call(command.map((text) => ({ text, path: body.path })));
}

/** An object that is sent to the API server by hand: `curl -d JSON`, `--data @FILE`, a here-document. */
function judgeApiRequest(words: readonly Word[], stdin: Data, machine: Machine): void {
  for (const { text, path } of bodiesOf(words)) {
    const file = text.startsWith('@') ? text.slice(1) : undefined;
    const data = file === '-' ? stdin : file === undefined ? undefined : machine.scope.read(file);
    deployText(file === undefined ? text : data?.text, path, machine);
  }
}

/** Commands that change nothing, as scanners ask a kubelet whether it runs any. */
export const ASKS = /^(?:id|whoami|hostname|uname|ls|ps|env|date|true|echo)\b/;

/** A kubelet that is told to run something; a worm knows the address, or a part of it, at run time only. */
export function judgeKubelet(url: string, path: string, { docket }: Machine): void {
  const host = /^https?:\/\/([^/]{0,256}):10250\//.exec(url)?.[1] ?? '';
  const isFound = !/^[\w.-]+$/.test(host);
  const message = 'It has a kubelet run a command in a container.';
  docket.report('lateral-movement', path, message, url, isFound ? 80 : undefined);
}

/** A command for another container, sent to its kubelet: `curl -d cmd=COMMAND https://NODE:10250/run/...`, or in the address. */
function judgeKubeletRequest({ text, path }: Word, words: readonly Word[], machine: Machine): void {
  const asked = /[?&](cmd=[^&]{1,1024})/.exec(text)?.[1]?.replaceAll(/\+|%20/g, ' ');
  const bodies = bodiesOf(words).map((body) => body.text);
  const commands = [asked ?? '', ...bodies].flatMap((body) =>
    body.startsWith('cmd=') ? [body.slice(4)] : [],
  );
  if (!commands.every((command) => ASKS.test(command))) judgeKubelet(text, path, machine);
  for (const command of commands) machine.runScript(command, path);
}

/** What is sent: the values of curl's --data and its kin. */
function bodiesOf(words: readonly Word[]): Word[] {
  return words.flatMap(({ text, path }, at) => {
    const [, glued] = /^(?:-d|--(?:data(?:-\w+)?|json|post-data|body-data)=?)(.*)$/s.exec(text) ?? [];
    return glued === undefined ? [] : [{ text: glued || (words[at + 1]?.text ?? ''), path }];
  });
}

function requestOf(text: string): JsonRecord {
  try {
    const request: unknown = JSON.parse(text.replaceAll(UNKNOWN, ''));
    return isRecord(request) ? request : {};
  } catch {
    return {};
  }
}

/** `ftpget HOST LOCAL [REMOTE]` and `tftp -g -r REMOTE [-l LOCAL] HOST` of busybox. */
function judgeFtp(words: readonly Word[], program: string, machine: Machine): Data {
  const texts = words.slice(1).map(({ text }) => text);
  const after = (flag: string) => (texts.includes(flag) ? texts[texts.indexOf(flag) + 1] : undefined);
  const plain = texts.filter((text, at) => !text.startsWith('-') && !/^-[upPrlb]$/.test(texts[at - 1] ?? ''));
  const [host = '', local] = plain;
  const file = program === 'tftp' ? (after('-l') ?? after('-r')) : local;
  if (file !== undefined) machine.keep(file, { downloadedFrom: [`ftp://${host}/`] });
  return NOTHING;
}

function fileNameOf(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^.*\//s, '') || 'index.html';
}

/** RPC of Monero's test and stage networks, where coins are worth nothing. */
const PLAY_PORTS: ReadonlySet<number> = new Set([28_081, 38_081]);

/** What people read, not what machines run. */
const PAGE = /^\/(?:docs|wiki|blog|news|articles?)\/|\.(?:html?|md|rst|pdf|png|svg|jpe?g)$/i;

/** `/OWNER/REPOSITORY/releases/download/` of GitHub and its kin. */
const RELEASE = /^\/([^/]{1,64})\/[^/]{1,128}\/releases\/download\//;

/** Judges an address that something is fetched from. */
export function judgeUrl({ text, path }: Word, { docket }: Machine): void {
  const endpoint = parseEndpoint(text.replaceAll(UNKNOWN, ''));
  if (!endpoint) return;
  if (isStratum(endpoint))
    docket.report('stratum-url', path, `It speaks to the pool ${endpoint.host}.`, text);
  if (hasDomain(docket.indicators.pools, endpoint.host)) {
    docket.report(
      'pool-mention',
      path,
      `It asks ${endpoint.host}, the domain of a mining pool.`,
      endpoint.host,
    );
  }
  judgePoolScript(endpoint, path, docket);
  if (/\/start_mining$/.test(endpoint.path) && !PLAY_PORTS.has(endpoint.port ?? 0))
    docket.report('miner-arguments', path, 'It asks a node to mine.', text, 90);
  if (hasDomain(docket.indicators.campaignSites, endpoint.host)) {
    docket.report(
      'miner-download',
      path,
      `It asks ${endpoint.host}, which served miners in attacks.`,
      endpoint.host,
    );
  }
  const asked = /[?&]name=([\w.-]+)/.exec(endpoint.path)?.[1];
  if (asked !== undefined && hasDomain(docket.indicators.pools, asked))
    docket.report('pool-lookup', path, `It asks for the address of ${asked}.`, asked);
  const isPage = PAGE.test(endpoint.path);
  for (const step of [...endpoint.path.split(/[/?#&=]/, 16)]) {
    const match = nameIn(step, docket.indicators);
    if (match?.kind === 'miner' && !isPage)
      docket.report('miner-download', path, `It fetches ${step}.`, step);
    if (match?.kind === 'mention' || (match?.kind === 'miner' && isPage)) {
      docket.report('miner-mention', path, `It fetches ${step}.`, step);
      return;
    }
  }
  // What a pool releases is what mines there.
  const [, owner = ''] = RELEASE.exec(endpoint.path) ?? [];
  if (isPoolName(owner)) docket.report('miner-download', path, `It fetches what ${owner} releases.`, owner);
  // A folder names the coin and a file the miner: /xmr/install_miner.sh.
  const score = minerWordScore(endpoint.path);
  if (score >= 80) docket.report('miner-download', path, `It fetches ${endpoint.path}.`, endpoint.path, 60);
  else if (score > 0) docket.report('miner-word', path, `It fetches ${endpoint.path}.`, endpoint.path, score);
}

/** Addresses of coins that are mined are no shorter. */
const WALLET_LENGTH = 42;

/**
 * Reports that what was downloaded is run. `direct`: it goes from the network into an interpreter without
 * being kept, as installers and droppers do.
 */
export function judgeDownloadedRun(data: Data, path: string, machine: Machine, direct: boolean): void {
  const urls = data.downloadedFrom ?? [];
  // An address that only run time knows says nothing against it.
  const named = urls.every(
    (url) =>
      url.startsWith('$') ||
      url.startsWith(UNKNOWN) ||
      (url.startsWith('https://') &&
        !isPublicAddress(parseEndpoint(url.replaceAll(UNKNOWN, ''))?.host ?? '')),
  );
  const message = direct ? 'It runs what a server sends, unseen.' : 'It runs a file that it downloaded.';
  const { pasteSites, dynamicSites } = machine.docket.indicators;
  const isDrop = urls.some((url) => isDropSite(parseEndpoint(url)?.host ?? '', pasteSites));
  // What speaks no protocol has no author; and nobody looks after a node over a line that anybody can change.
  const isRaw = urls.some((url) => url.startsWith('tcp://'));
  const isOpen = urls.some((url) => url.startsWith('http://') && isOutside(url));
  const isDropper = isRaw || (isOpen && machine.manner.onNode) || ((isDrop || !named) && isRepeated(urls));
  const score = isDropper ? 80 : isDrop || !named || direct ? 40 : 20;
  machine.docket.report('remote-script', path, message, urls[0], score);
  // Work that is left on a machine and decided elsewhere each time, over a line that anybody can change.
  if (direct && isOpen) machine.docket.raise('persistence', path, 40);
  // What is called a miner, and comes over a line that anybody can change, is one.
  if (direct && !named) machine.docket.raise('miner-word', path, 45);
  // An installer has no reason to hide its address as well.
  if (direct && !named && machine.docket.scoreOf('encoded-script', path) >= 30)
    machine.docket.raise('encoded-script', path, 45);
  for (const value of machine.scope.values)
    if (value.length >= WALLET_LENGTH && (walletOf(value)?.mined || isMeantAsWallet(value)))
      machine.docket.report('miner-arguments', path, 'It hands a wallet to what it downloads.', value, 90);
  if (machine.manner.background && machine.manner.silent) {
    const quiet = 'What it downloaded runs in the background, and its output is discarded.';
    machine.docket.report('silent-background', path, quiet, undefined, 40);
  }
  for (const url of urls) {
    const endpoint = parseEndpoint(url.replaceAll(UNKNOWN, ''));
    if (!endpoint) continue;
    if (isPublicAddress(endpoint.host)) {
      machine.docket.report(
        'download-from-address',
        path,
        `${endpoint.host} is an address without a name.`,
        endpoint.host,
      );
    }
    const score = isDropSite(endpoint.host, pasteSites)
      ? 50
      : hasDomain(dynamicSites, endpoint.host)
        ? 25
        : 0;
    if (score === 0) continue;
    const message = `Anybody can put something on ${endpoint.host}.`;
    machine.docket.report('download-from-paste', path, message, endpoint.host, score);
  }
}

/** A place where anybody may put files, or a hidden service (RFC 7686), which nobody answers for. */
function isDropSite(host: string, pasteSites: ReadonlySet<string>): boolean {
  return host.endsWith('.onion') || hasDomain(pasteSites, host);
}

/** A file that was downloaded is made executable: who runs it may be another container. */
export function judgeMadeExecutable(data: Data, path: string, machine: Machine): void {
  const { pasteSites } = machine.docket.indicators;
  const isUnnamed = data.downloadedFrom?.some((url) => {
    const host = parseEndpoint(url.replaceAll(UNKNOWN, ''))?.host ?? '';
    return isPublicAddress(host) || isDropSite(host, pasteSites);
  });
  if (isUnnamed) judgeDownloadedRun(data, path, machine, false);
}

/** The same text fetched by one program in case that another is missing, as droppers do that know nothing of the image. */
function isRepeated(urls: readonly string[]): boolean {
  return urls.some((url, at) => urls.indexOf(url) < at && isOutside(url));
}

/** A name of the public DNS. */
function isOutside(url: string): boolean {
  const host = parseEndpoint(url.replaceAll(UNKNOWN, ''))?.host ?? '';
  return /\.[a-z]{2,}$/.test(host) && !/\.(local|internal|svc|lan|corp|home|intranet|test)$/.test(host);
}

/** Whether a wallet, or a pool, is handed to what was downloaded, as set-up scripts of pools want it. */
export function judgeHanded(data: Data, words: readonly Word[], { docket }: Machine): void {
  if (!data.downloadedFrom) return;
  judgeArguments(words, docket);
  for (const { text, path } of words.slice(0, 16)) {
    if (walletOf(text)?.mined || isMeantAsWallet(text))
      docket.report('miner-arguments', path, 'It hands a wallet to a script that it downloads.', text);
  }
}

/** `/dev/tcp/HOST/PORT`, the shell's own way to connect; what comes from there. */
export function judgeSocket(target: string, machine: Machine): Data {
  const [, , , host = '', port = ''] = target.split('/');
  connectsTo(host, Number(port), machine, machine.path);
  return { downloadedFrom: [`tcp://${host}:${port}`] };
}

/** Judges what a script writes into a connection. */
export function judgeSent({ text }: Data, path: string, docket: Docket): void {
  if (/"method"\s*:\s*"(login|mining\.|eth_submitLogin|submit)/.test(text ?? '')) {
    docket.report('stratum-message', path, 'It sends a request of the stratum protocol.');
  }
}

function judgeNetcat(words: readonly Word[], stdin: Data, machine: Machine): Data {
  const plain = words.slice(1).filter(({ text }) => !text.startsWith('-'));
  const joined = plain.find(({ text }) => /^(tcp|openssl|ssl)[46]?(-connect)?:/i.test(text));
  const [host = '', port = ''] = joined ? joined.text.split(/[:,]/).slice(1) : plain.map(({ text }) => text);
  const path = plain[0]?.path ?? machine.path;
  // -z asks whether the port answers, as tests of firewalls do.
  if (words.slice(1).some(({ text }) => /^-[a-y]*z/.test(text))) return UNKNOWN_DATA;
  connectsTo(host, Number(port), machine, path, 75);
  judgeSent(stdin, path, machine.docket);
  return host === '' ? UNKNOWN_DATA : { downloadedFrom: [`tcp://${host}:${port}`] };
}

/** A port that ssh forwards: `[BIND:]PORT:HOST:PORT`. */
export function judgeForward(word: Word | undefined, machine: Machine): void {
  const [host = '', port = ''] = word?.text.split(':').slice(-2) ?? [];
  if (word && hasDomain(machine.docket.indicators.pools, fold(host)))
    connectsTo(fold(host), Number(port), machine, word.path, FORWARDED);
}

/** Score of a way to a pool for others. */
const FORWARDED = 90;

function connectsTo(host: string, port: number, machine: Machine, path: string, score = 60): void {
  const { docket } = machine;
  if (hasDomain(docket.indicators.pools, host)) {
    // Nobody reads web pages through a tunnel of their own.
    const web = (port === 80 || port === 443) && score < FORWARDED;
    docket.report('pool-host', path, `It connects to ${host}, a mining pool.`, host, web ? 40 : score);
  }
  if (docket.indicators.addressRanges.has(host, port)) {
    docket.report('pool-address', path, `${host} is the address of a mining pool.`, host);
  }
  if (isPublicAddress(host)) {
    docket.report('download-from-address', path, `It connects to ${host}, an address without a name.`, host);
  }
  if (isMiningPort(port))
    docket.report('mining-port', path, `Pools often listen on port ${port}.`, `${port}`);
}

/** An archive that was downloaded makes what is unpacked from it downloaded too. */
export function runTar({ words, stdin, machine }: Call): Data {
  const source = [stdin, ...words.slice(1).map(({ text }) => machine.scope.read(text))].find(
    (data) => data?.downloadedFrom,
  );
  if (source) machine.unpacked = source;
  return NOTHING;
}

export function runGit({ words, machine }: Call): Data {
  for (const word of words.slice(2)) if (/[/:]/.test(word.text)) judgeUrl(sshAsUrl(word), machine);
  return NOTHING;
}

/** `git@github.com:xmrig/xmrig.git` as a URL. */
function sshAsUrl({ text, path }: Word): Word {
  const [, host, rest] = /^[\w.-]+@([\w.-]+):(.*)$/.exec(text) ?? [];
  return { text: host === undefined ? text : `ssh://${host}/${rest}`, path };
}

/** Whether a literal of a program is an address to fetch from. */
export function isFetchable(text: string): boolean {
  const endpoint = parseEndpoint(text);
  return endpoint !== undefined && (isWeb(endpoint) || endpoint.scheme === 'ftp');
}
