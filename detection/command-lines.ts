import { judgeArguments } from './miner-arguments.ts';
import type { Machine } from './shell/machine.ts';
import { findWallets } from './wallet/wallet.ts';

/** What a command is told; a list of wallets has none. */
const OPTION = /(?:^|[\s"',=[>])-{1,2}[A-Za-z]/;

const LINE_LIMIT = 4096;
const COMMAND_LIMIT = 32;

const FETCHES = /\b(?:curl|wget)\b/;

/** What is fetched goes on to an interpreter, or is made executable. */
const RUNS = /\|\s*(?:sudo\s+)?(?:ba|da|z|k)?sh\b|\bchmod\b/;

/** What scanners look for, and what people are told. */
const ABOUT =
  /^\s*(?:#|\/\/|;|--|<!--)|\b(?:desc|descriptions?|messages?|msg|patterns?|regex|conditions?|summary|title|output|examples?|comments?|rules?|signatures?|alerts?|ioc)["']?\s*[:=>]/i;

/**
 * Judges the lines of a settings file that are commands by what is in them, wherever the file's own grammar puts them:
 * hooks in TOML, build steps in XML, scripts in package.json, commands in a Compose file. Text for people is not given
 * here.
 */
export function judgeCommandLines(text: string, path: string, machine: Machine): void {
  let commands = 0;
  for (const line of text.split('\n')) {
    if (line.length > LINE_LIMIT || commands >= COMMAND_LIMIT || ABOUT.test(line)) continue;
    const fetch = line.search(FETCHES);
    // From there on in one go: one pattern for both would begin anew at each program that fetches.
    if (fetch >= 0 && RUNS.test(line.slice(fetch))) {
      commands++;
      machine.runScript(commandOf(line), path);
    } else if (line.length > 64 && OPTION.test(line) && findWallets(line).some(({ mined }) => mined)) {
      commands++;
      const words = unescapeXml(line).split(/[\s"'<>,[\]]+/, 64);
      judgeArguments(
        words.filter((word) => word !== '').map((word) => ({ text: word, path })),
        machine.docket,
      );
    }
  }
}

/** From the first program that fetches, without the quotes and tags around it. */
function commandOf(line: string): string {
  const plain = unescapeXml(line);
  const from = plain.search(FETCHES);
  // In a string of JSON or TOML the command ends with the string.
  const quote = /["'](?=[^"']*$)/.exec(plain.slice(0, from))?.[0];
  const end = quote === undefined ? -1 : plain.indexOf(quote, from);
  return plain.slice(from, end < 0 ? undefined : end).replace(/(?:<\/|["'`]\s*[,;})\]]*\s*$).*$/, '');
}

function unescapeXml(text: string): string {
  return text.includes('&')
    ? text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? '')
    : text;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
