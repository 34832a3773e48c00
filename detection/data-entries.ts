import { hasSteps, judgeSteps } from './ci-steps.ts';
import { judgeCode } from './code.ts';
import { judgeCommandLines } from './command-lines.ts';
import { isCompose, judgeCompose } from './compose.ts';
import { deployText } from './deploy.ts';
import { isDockerfile, judgeDockerfile } from './dockerfile.ts';
import type { Docket } from './docket.ts';
import { isStratum, parseEndpoint } from './endpoint.ts';
import { judgeEnvironment, type Variable } from './environment.ts';
import { hasDomain } from './indicators.ts';
import { judgeArguments } from './miner-arguments.ts';
import { judgeMinerConfig } from './miner-config.ts';
import { judgeBrowserMiner } from './mining-page.ts';
import { nameIn } from './names.ts';
import { judgeNotebook } from './notebook.ts';
import { judgePackage } from './package-json.ts';
import { judgePoolLogin } from './pool-login.ts';
import { judgeScriptText } from './script-text.ts';
import { isRecord, textOf } from './shape.ts';
import { judgeSql } from './shell/builtins.ts';
import { decodeBase64, inflate, textOfBytes } from './shell/decode.ts';
import type { Machine } from './shell/machine.ts';
import { judgePowerShell } from './shell/powershell.ts';
import { fold } from './text.ts';
import { judgeUserData } from './user-data.ts';
import { findWallets } from './wallet/wallet.ts';
import { judgeCrontab, judgeUnit } from './written-file.ts';

/** Text for people or for tools that look for miners: it may name anything. */
const DOCUMENT =
  /\.(md|mdx|html?|rst|adoc|csv|tsv|log|svg|xml|css|rules?|yar|yara|rego|ya?ml|tpl|tmpl|lock|sum|pem|crt|key|po)$/i;
const SHELL = /\.(sh|bash|zsh|ksh)$/i;
const CODE = /\.(py|pl|js|mjs|cjs|ts|rb|php|lua|go|c|cc|cpp|java|rs|groovy|kts?|scala|cs)$|^jenkinsfile/i;

/** Settings of programs that run commands: build servers, package managers, supervisors. */
const SETTINGS = /\.(ya?ml|toml|json|xml|ini|conf|cfg|properties|env)$/i;

/** Without any of these words a text holds neither a miner's settings nor a dropper. Linear. */
const SIGNAL =
  /stratum|donat|pool|wallet|miner|mining|xmr|monero|randomx|rx\/|cryptonight|hash|curl|wget|base64|eval|python|perl|\/dev\/tcp|\/tmp|\/dev\/shm|algo|chmod|coin|apiVersion|ExecStart|\.Anonymous\(|method.{1,8}login|\b[48][1-9A-HJ-NP-Za-km-z]{94}\b/i;

/** Calls of programs that start others, or run what they decode. */
const STARTS = /\b(?:system|popen|exec\w{0,8}|spawn\w{0,8}|subprocess)\b/;

/** A file that a job applies, or Cluster API's ClusterResourceSet; bad examples are what policies are tested with. */
function isDeployed(key: string): boolean {
  return (!DOCUMENT.test(key) || /\.ya?ml$/i.test(key)) && !/test|example|sample|fixture/i.test(key);
}

/** What a manifest of something that has an image holds, in YAML or JSON. */
const MANIFEST = /^[ \t{]{0,8}["']?apiVersion["']?[ \t]*:/m;
const IMAGE = /\bimage["']?[ \t]*:/;

const ENTRY_LIMIT = 8192;

/** Judges what a ConfigMap or a Secret carries: scripts, settings of miners, and text that mentions them. */
export function judgeData(object: Record<string, unknown>, machine: Machine): void {
  if (object.kind !== 'ConfigMap' && object.kind !== 'Secret') return;
  for (const field of ['data', 'stringData', 'binaryData']) {
    const entries = isRecord(object[field]) ? Object.entries(object[field]) : [];
    if (entries.length > ENTRY_LIMIT) {
      machine.docket.report(
        'analysis-limit',
        field,
        `Only ${ENTRY_LIMIT} of ${entries.length} entries were read.`,
      );
    }
    const encoded = field === 'binaryData' || (field === 'data' && object.kind === 'Secret');
    const variables: Variable[] = [];
    for (const [key, value] of entries.slice(0, ENTRY_LIMIT)) {
      const bytes = encoded ? textOfBytes(Buffer.from(textOf(value), 'base64')) : textOf(value);
      const text = encoded && bytes.startsWith('\x1f') ? (inflate(bytes) ?? bytes) : bytes;
      const path = `${field}[${JSON.stringify(key)}]`;
      judgeEntry(key.replace(/\.gz$/i, ''), text, path, machine);
      const inner = scriptInBase64(text);
      if (inner !== undefined) judgeEntry(key, inner, path, machine);
      if (/^[A-Za-z_]\w*$/.test(key) && !text.trim().includes('\n'))
        variables.push({ name: key, value: text.trim(), path });
    }
    // Containers take such entries over as variables (envFrom).
    judgeEnvironment(variables, machine.docket);
  }
}

/** Base64 of `#!`, of an object in JSON and of gzip, as a container decodes it. */
const ENCODED = /^(?:IyE|ey|ew|H4sI)[A-Za-z0-9+/\s]{32,}={0,2}$/;

function scriptInBase64(text: string): string | undefined {
  // Trimmed first: a pattern that allows blanks at the end as well tries every split of them.
  if (!ENCODED.test(text.trim())) return undefined;
  const decoded = decodeBase64(text);
  return decoded?.startsWith('\x1f') ? inflate(decoded) : decoded;
}

/** Judges one file by its name and its text. */
export function judgeEntry(key: string, text: string, path: string, machine: Machine): void {
  const shebang = text.trimStart().startsWith('#!');
  if (
    !shebang &&
    !SHELL.test(key) &&
    !SIGNAL.test(text) &&
    !(CODE.test(key) && STARTS.test(text)) &&
    !looksLikeScript(text) &&
    !isDockerfile(key, text) &&
    !isCompose(key)
  )
    return;
  machine.path = path;
  judgeBrowserMiner(key, text, path, machine.docket);
  if (text.startsWith('#cloud-config')) judgeUserData(text, path, machine);
  else if (isCompose(key)) judgeCompose(text, path, machine);
  else if (/\.ipynb$/i.test(key)) judgeNotebook(text, path, machine);
  else if (isDockerfile(key, text)) judgeDockerfile(text, path, machine);
  else if (shebang || SHELL.test(key)) judgeScriptText(text, path, machine);
  else if (/\.ps1$/i.test(key)) judgePowerShell(text, path, machine);
  else if (/\.(bat|cmd)$/i.test(key)) machine.runScript(text.replaceAll('\r', ''), path);
  else if (CODE.test(key)) judgeCode(text, path, machine);
  else judgePlain(key, text, path, machine);
}

/** Keys of records about attacks, as feeds of indicators have them, and what the settings of a miner have besides. */
const REPORT =
  /["'](?:family|campaign|actor|malware|threat|iocs?|first_seen|last_seen|tlp|mitre|attack_id)["']\s*:/i;
const MINES =
  /["'](?:pools|pool_list|user|login|pass|password|threads|algo|donate-level|rig-?id|worker|accesstoken)["']\s*:|stratum2?\+/i;

/** A rule of Sigma's, which says what to look for and gives examples. */
function isSigma(text: string): boolean {
  return /^detection:/m.test(text) && /^[ \t]{1,8}condition:/m.test(text);
}

/** A file whose kind nothing tells for sure. */
function judgePlain(key: string, text: string, path: string, machine: Machine): void {
  if (/cron/i.test(key) || /^[ \t]*(@reboot|([\d*/,-]{1,20}[ \t]+){5})/m.test(text))
    judgeCrontab(text, machine);
  if (VARIABLES.test(key)) judgeEnvironment(variablesOf(text, path), machine.docket);
  if (key === 'package.json') judgePackage(text, path, machine);
  const isReport = REPORT.test(text) && !MINES.test(text);
  if (SETTINGS.test(key) && !isReport && !isSigma(text)) judgeCommandLines(text, path, machine);
  if (hasSteps(key, text)) judgeSteps(text, path, machine);
  if (MANIFEST.test(text) && IMAGE.test(text) && isDeployed(key)) deployText(text, path, machine);
  if (/ExecStart|^[ \t]*command[ \t]*=/m.test(text)) judgeUnit(text, machine);
  if (DOCUMENT.test(key) ? !/\.ya?ml$/i.test(key) : isProse(text)) {
    judgeMentions(text, path, machine);
    return;
  }
  judgeOptions(text, path, machine);
  const isNamed = nameIn(key.replace(/\.\w+$/, ''), machine.docket.indicators)?.kind === 'miner';
  if (!isReport) judgeMinerConfig(text, path, machine.docket, isNamed);
  if (/\.sql$/i.test(key)) judgeSql(text, path, machine);
  if (!DOCUMENT.test(key) && !/\.txt$/i.test(key) && looksLikeScript(text)) machine.runScript(text, path);
  else judgeMentions(text, path, machine);
}

/** Files that a shell or an entrypoint reads variables from. */
const VARIABLES = /(?:^|[._-])env$|\.(?:properties|conf|cfg)$/i;

const VARIABLE_LIMIT = 256;

/** `NAME=value` lines. */
function variablesOf(text: string, path: string): Variable[] {
  return [...text.matchAll(/^[ \t]{0,8}(?:export )?([A-Za-z_]\w{0,63})=["']?([^"'\n]{1,512})/gm)]
    .slice(0, VARIABLE_LIMIT)
    .map(([, name = '', value = '']) => ({ name, value: value.trim(), path }));
}

/** A file of options, one a line, as miners read them: `-pool HOST:PORT`. */
function judgeOptions(text: string, path: string, { docket }: Machine): void {
  if (!/^[ \t]{0,8}-{1,2}[A-Za-z]/.test(text)) return;
  const lines = text.split('\n', 64).filter((line) => line.trim() !== '');
  if (lines.length < 2 || !lines.every((line) => /^[ \t]{0,8}(?:-{1,2}[A-Za-z]|#)/.test(line))) return;
  judgeArguments(
    lines.flatMap((line) => line.trim().split(/[ \t]/, 16)).map((word) => ({ text: word, path })),
    docket,
  );
}

/** What people read: names pools and wallets, and does nothing. */
function judgeMentions(text: string, path: string, { docket }: Machine): void {
  for (const { coin, address } of findWallets(text)) {
    docket.report('wallet-mention', path, `It holds a ${coin} wallet.`, address);
  }
  for (const [word] of text.matchAll(
    /[A-Za-z0-9+]{3,24}:\/\/[^\s"'<>]{4,256}|[\w.-]{4,120}\.[a-z]{2,12}(?=[:/"'\s,]|$)/g,
  )) {
    const endpoint = parseEndpoint(word);
    if (!endpoint || !(isStratum(endpoint) || hasDomain(docket.indicators.pools, endpoint.host))) continue;
    docket.report('pool-mention', path, `It names ${endpoint.host}, a mining pool.`, endpoint.host);
    judgeForwarding(text, path, docket);
    judgePage(text, path, docket);
    judgePoolLogin(text, path, docket);
    return;
  }
}

/** A server that settings of nginx, HAProxy, Envoy, stunnel or socat send connections on to. */
const FORWARDS =
  /\b(?:server(?:[ \t]+[\w-]+)?|proxy_pass|connect[ \t]*=|address:)[ \t]+["']?(?:tcp:\/\/)?([\w-]+(?:\.[\w-]+)+)["']?(?::\d{2,5}\b|,?\s*port_value:)/g;

/** A proxy to a pool hides from others whom a miner speaks to. */
function judgeForwarding(text: string, path: string, docket: Docket): void {
  for (const [, host = ''] of text.matchAll(FORWARDS)) {
    if (!hasDomain(docket.indicators.pools, fold(host))) continue;
    docket.report('pool-host', path, `It forwards connections to ${host}, a mining pool.`, host, 90);
    return;
  }
}

/** A page that loads the script of a miner makes those mine who read it. */
function judgePage(text: string, path: string, docket: Docket): void {
  for (const [, host = ''] of text.matchAll(/<script\b[^>]{0,256}\bsrc=["']?(?:https?:)?\/\/([\w.-]+)/gi)) {
    if (!hasDomain(docket.indicators.pools, fold(host))) continue;
    docket.report('miner-download', path, `Its page loads a script from ${host}.`, host);
    return;
  }
}

/** A heading alone may be a comment of a script; with a sentence, a list or a fence below it is none. */
function isProse(text: string): boolean {
  if (/<html|<!doctype|^[ \t]*[-*] \S.*\.[ \t]*$|^```/im.test(text)) return true;
  return /^#{1,4} \S/m.test(text) && /^[A-Z][\w ,'()/-]{24,400}[.:!?][ \t]*$/m.test(text);
}

/** Lines that begin with commands of shell scripts. */
function looksLikeScript(text: string): boolean {
  return /^[ \t]*(set -|export \w+=|exec |cd \/|curl |wget |chmod |nohup |sudo |apt(-get)? |apk |yum |bash |sh |\.{0,2}\/[\w./-]+ -|\w*(xmr|miner)\w* -)/m.test(
    text,
  );
}
