#!/usr/bin/env node
import { basename } from 'node:path';
import { KubesentryError } from '../api/errors.ts';
import { VERSION } from '../api/names.ts';
import { COMMANDS, PLUGIN_COMMANDS } from './commands.ts';
import { errorLine } from './error-line.ts';
import { nearest } from './nearest.ts';

const asPlugin = basename(process.argv[1] ?? '').startsWith('kubectl-');
const commands = asPlugin ? { ...PLUGIN_COMMANDS, ...COMMANDS } : { ...COMMANDS, ...PLUGIN_COMMANDS };
const program = asPlugin ? 'kubectl kubesentry' : 'kubesentry';

const FIRST_STEPS = `
First steps:
  kubectl kubesentry status                                    does everything work?
  kubectl kubesentry incidents -w                              what is going on
  kubectl kubesentry incidents NAME                            one of them: evidence, steps, timeline
  kubectl kubesentry report NAME -o html > report.html         for those who were not there
  kubectl kubesentry approve NAME terminate revoke             let it delete the miner and void its tokens

Exit status: 0 when it is done, 1 when something is wrong or refused; what and what to do is on standard error.
`;

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === 'help' && rest[0] !== undefined) return main([rest[0], '--help']);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help());
    return name === undefined ? 1 : 0;
  }
  if (name === '--version' || name === '-v' || name === 'version') {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  try {
    if (!command) throw new KubesentryError('USAGE', `There is no command "${name}".${meant(name)}`);
    const run = await command.load();
    return await run(rest);
  } catch (error) {
    if (!(error instanceof KubesentryError)) throw error;
    const todo = error.code === 'USAGE' ? `See ${program} ${command ? `${name} ` : ''}--help.` : error.remedy;
    process.stderr.write(`${errorLine(error)}${todo}\n`);
    return 1;
  }
}

function meant(name: string): string {
  const close = nearest(name, Object.keys(commands));
  return close === undefined ? '' : ` Did you mean "${close}"?`;
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length)) + 2;
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`);
  return `Stops cryptomining in Kubernetes: at deploy, at run time, and when it tries to come back.

Usage:
  ${program} COMMAND [OPTIONS]

Commands:
${list.join('\n')}

  -h, --help       this text; "help COMMAND" says all about one, with examples
  -v, --version    the version
${asPlugin ? FIRST_STEPS : ''}`;
}
