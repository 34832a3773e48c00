import type { Word } from '../arguments.ts';
import { judgeContainerCommand } from '../container-command.ts';
import { CALL_COST, type Docket, STEP_COST, WORD_COST } from '../docket.ts';
import { judgeSent } from '../download.ts';
import { unversioned } from '../names.ts';
import { isInert, judgeAlias, judgeProgram } from '../program.ts';
import { fold, UNKNOWN } from '../text.ts';
import { DENY_FROM } from '../verdict.ts';
import { judgeWritten } from '../written-file.ts';
import { concatenate, type Data, NOTHING, UNKNOWN_DATA } from './data.ts';
import { expandText, expandWords, type Substitution } from './expand.ts';
import { runFile } from './interpreters.ts';
import { piecesOf, quote } from './pieces.ts';
import { PROGRAMS } from './programs.ts';
import { type Redirects, readRedirects } from './redirects.ts';
import { Scope } from './scope.ts';
import type { SyntaxNode } from './syntax.ts';
import { carriedCommand, unwrap } from './wrappers.ts';

/** How deep scripts may hold scripts. */
const DEPTH_LIMIT = 8;

/** How deep functions may call functions; scripts that people write come to a dozen. */
const FUNCTION_DEPTH_LIMIT = 32;

/** How many commands are followed, loops and functions included. */
const CALL_LIMIT = 2_000;

/** A loop body is read for at most so many values: the outermost first, then those within. */
const LOOP_LIMITS = [32, 8, 2] as const;

/** That values of a loop were not read is said, and alone it is nothing: lists are long at times. */
const LOOP_CUT_SCORE = 10;

/** One that only prints may put a text together, a letter each time. */
const PRINTING_FROM = 8;
const PRINTING_LOOP_LIMIT = 1024;
const PRINTING_LENGTH = 256;

/** How often a function is entered while it is at work already. */
const RECURSION_LIMIT = 1;

/** How many commands of crontabs are kept for the end. */
const LATER_LIMIT = 64;

/** How a statement is started. */
export interface Manner {
  background: boolean;
  silent: boolean;
  /** In the namespaces or below the root of the node. */
  onNode: boolean;
}

/** A program that nobody here knows may give what an address holds, as a renamed curl does. */
function fetchedBy(words: readonly Word[]): Data {
  const urls = words.filter(({ text }, at) => at > 0 && /^https?:\/\//.test(text));
  return urls.length === 0 ? UNKNOWN_DATA : { downloadedFrom: urls.map(({ text }) => text).slice(0, 8) };
}

/**
 * Follows a shell script without running anything: variables are folded, both arms of a branch are taken,
 * pipes, here-documents and files carry text where it is known, and every command that would run is judged.
 */
export class Machine implements Substitution {
  readonly docket: Docket;
  scope: Scope;
  /** The field that the script stands in. */
  path = '';
  manner: Manner = { background: false, silent: false, onNode: false };
  /** Judges an object that the script hands to the API server; not set where scripts are in such objects already. */
  deploy: ((manifest: unknown, path: string) => void) | undefined;
  readonly aliases = new Map<string, string>();
  /** The last downloaded archive that was unpacked. */
  unpacked: Data | undefined;
  #made: Data | undefined;
  #depth = 0;
  #calls = 0;
  #pipes = 0;
  readonly #later: { script: string; path: string }[] = [];
  readonly #functions = new Map<string, SyntaxNode>();
  readonly #called = new Set<string>();
  /** How often each function is at work. */
  readonly #active = new Map<string, number>();
  #functionDepth = 0;
  #loopDepth = 0;
  /** The scripts that are being read, one within the other. */
  readonly #running = new Set<string>();

  constructor(docket: Docket, scope: Scope = new Scope()) {
    this.docket = docket;
    this.scope = scope;
  }

  /** Another container begins: what the one before runs does not count for it. */
  begin(variables: Map<string, string>): void {
    // What an init container writes, another may run: the files stay, the variables do not.
    this.scope = this.scope.withVariables(variables);
    this.#calls = 0;
  }

  /** Reads `script` and returns what it would print. */
  runScript(script: string, path: string, stdin: Data = UNKNOWN_DATA): Data {
    // A script that runs itself, or a file that holds its own name, has been read as it is.
    if (this.#running.has(script)) return UNKNOWN_DATA;
    if (this.#depth >= DEPTH_LIMIT) {
      // People do not write that; it hides what is innermost.
      const message = `Scripts hold scripts more than ${DEPTH_LIMIT} deep.`;
      this.docket.report('analysis-limit', path, message, undefined, DENY_FROM);
      return UNKNOWN_DATA;
    }
    this.#running.add(script);
    const before = this.path;
    this.path = path;
    this.#depth++;
    let output = NOTHING;
    for (const piece of piecesOf(script.replaceAll(UNKNOWN, '__unknown__'))) {
      if (!this.docket.spend(piece.length, path)) break;
      const tree = this.#parse(piece);
      if (!tree) break;
      output = concatenate(output, this.run(tree, stdin));
      this.#runUncalled();
      this.#functions.clear();
    }
    this.#depth--;
    this.#running.delete(script);
    if (this.#depth === 0) for (const { script, path } of this.#later.splice(0)) this.runScript(script, path);
    this.path = before;
    return output;
  }

  /** Reads a script that runs when the one at hand is done, as from a crontab: it may write the files by then. */
  runLater(script: string, path: string): void {
    if (this.#depth === 0) this.runScript(script, path);
    else if (this.#later.length < LATER_LIMIT) this.#later.push({ script, path });
    else this.docket.report('analysis-limit', path, `It leaves more than ${LATER_LIMIT} commands for later.`);
  }

  /** Follows one command whose words are known. */
  call(words: readonly Word[], stdin: Data = UNKNOWN_DATA): Data {
    if (++this.#calls > CALL_LIMIT) {
      this.docket.report('analysis-limit', this.path, `It runs more than ${CALL_LIMIT} commands.`);
      // Those behind them are looked at all the same, one by one.
      if (this.follow(CALL_COST)) judgeProgram(words, this);
      return UNKNOWN_DATA;
    }
    if (!this.follow(words.length * WORD_COST + (stdin.text?.length ?? 0))) return UNKNOWN_DATA;
    const outer = this.manner;
    const inner = this.#original(unwrap(this.#original(words), stdin, this));
    const output = this.#callUnwrapped(inner, stdin);
    this.manner = outer;
    this.follow(output.text?.length ?? 0);
    return output;
  }

  #callUnwrapped(inner: readonly Word[], stdin: Data): Data {
    const first = inner[0];
    if (!first) return UNKNOWN_DATA;
    const alias = this.aliases.get(first.text);
    if (alias !== undefined) return this.#callAlias(first, alias, inner.slice(1), stdin);
    const body = this.#functions.get(first.text);
    if (body && this.#functionDepth < FUNCTION_DEPTH_LIMIT)
      return this.#callFunction(first.text, body, inner.slice(1), stdin);
    if (body) {
      const message = `Its functions call functions more than ${FUNCTION_DEPTH_LIMIT} deep.`;
      this.docket.report('analysis-limit', this.path, message);
    }
    judgeProgram(inner, this);
    const name = unversioned(fold(first.text.slice(first.text.lastIndexOf('/') + 1)));
    // What was written to that path counts, whatever it is called.
    const written = first.text.includes('/') && this.scope.read(first.text) !== undefined;
    const program = !written && Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
    if (program) return program({ words: inner, stdin, machine: this });
    const carried = carriedCommand(inner);
    const output = carried && !isInert(first.text) ? this.call(carried, stdin) : runFile(inner, this);
    return output === UNKNOWN_DATA ? fetchedBy(inner) : output;
  }

  /** Follows a statement or a group of statements; what they print, one after the other. */
  run(node: SyntaxNode, stdin: Data): Data {
    if (!this.docket.follow(STEP_COST, this.path)) return NOTHING;
    switch (node.type) {
      case 'command':
        return this.#command(node, stdin);
      case 'redirected_statement':
        return this.#redirected(node, stdin);
      case 'pipeline':
        return node.namedChildren.reduce((data, stage) => this.run(stage, data), stdin);
      case 'unset_command':
        return this.call(node.text.split(/\s+/, 16).map((text) => ({ text, path: this.path })));
      case 'variable_assignment':
        this.#assign(node);
        return NOTHING;
      case 'for_statement':
        return this.#loop(node, stdin);
      case 'function_definition': {
        const [name, body] = [node.child('name'), node.child('body')];
        if (name && body) this.#functions.set(name.text, body);
        return NOTHING;
      }
      case 'subshell': {
        const outer = this.scope.folder;
        const output = this.#all(node, stdin);
        this.scope.folder = outer;
        return output;
      }
      case 'comment':
      case 'test_command':
      case 'word':
        return NOTHING;
      default:
        return this.#all(node, stdin);
    }
  }

  output(node: SyntaxNode): string {
    const data = this.#all(node, UNKNOWN_DATA);
    this.note(data);
    return data.text ?? UNKNOWN;
  }

  pipe(node: SyntaxNode): string {
    const path = `/dev/fd/${63 - (this.#pipes++ % 32)}`;
    this.scope.write(path, this.#all(node, UNKNOWN_DATA));
    return path;
  }

  follow(letters: number): boolean {
    return this.docket.follow(letters, this.path);
  }

  note(origin: Data | undefined): void {
    if (origin?.downloadedFrom || origin?.decoded) this.#made = origin;
  }

  /** Keeps what a command writes into a file. */
  keep(file: string, data: Data): void {
    if (!this.scope.write(file, data))
      this.docket.report('analysis-limit', this.path, 'It writes more files than are kept.');
    judgeWritten(file, data, this);
  }

  judgeAlias(alias: Word | undefined): void {
    judgeAlias(alias, this);
  }

  runContainer(words: readonly Word[], dashes: number): Data {
    return judgeContainerCommand(words, dashes, this);
  }

  /** What the words of the command at hand were made from. */
  get made(): Data | undefined {
    return this.#made;
  }

  #all(node: SyntaxNode, stdin: Data): Data {
    let output = NOTHING;
    const { children } = node;
    for (let at = 0; at < children.length && this.docket.following.left > 0; at++) {
      const child = children[at] as SyntaxNode;
      if (!child.isNamed) continue;
      const outer = this.manner;
      if (children[at + 1]?.type === '&') this.manner = { ...outer, background: true };
      output = concatenate(output, this.run(child, stdin));
      this.manner = outer;
    }
    return output;
  }

  /** What cannot be read in time was made so: no script that people write comes near. */
  #parse(script: string): SyntaxNode | undefined {
    const { indicators, parsing } = this.docket;
    const tree = indicators.shell.parse(script, parsing);
    if (!tree) {
      const message = 'Its shell text takes too long to be read.';
      this.docket.report('analysis-limit', this.path, message, undefined, DENY_FROM);
    }
    return tree;
  }

  #command(node: SyntaxNode, stdin: Data): Data {
    this.#made = undefined;
    const { words, redirects } = this.#read(node);
    const made = this.#made;
    const output = this.call(words, redirects?.stdin ?? stdin);
    this.#made = made;
    return redirects ? this.#store(output, redirects) : output;
  }

  #read(node: SyntaxNode): { words: Word[]; redirects: Redirects | undefined } {
    const words: Word[] = [];
    let redirects: Redirects | undefined;
    let end = -1;
    for (const child of node.namedChildren) {
      if (child.type === 'variable_assignment') this.#assign(child);
      else if (/_redirect$/.test(child.type)) redirects ??= readRedirects(node, this);
      else if (end === child.start && words.length > 0) this.#append(words, child);
      else for (const text of this.#wordsOf(child)) words.push({ text, path: this.path });
      end = child.end;
    }
    return { words, redirects };
  }

  /** What touches the word before it belongs to it: the grammar reads `$A://$B` as `$A://$` and `B`. */
  #append(words: Word[], node: SyntaxNode): void {
    const { text, path } = words.pop() as Word;
    // The rest is shorter each time, and what is read again is paid for again.
    if (!text.endsWith('$') || text === '$' || !this.docket.spend(node.text.length, path)) {
      words.push({ text: text + expandText(node, this), path });
      return;
    }
    // With a letter before it, so that a blank at its start parts words.
    const again = this.#parse(`: x$${node.text}`)?.namedChildren[0];
    const [, first, ...more] = again?.type === 'command' ? this.#read(again).words : [];
    words.push({ text: text.slice(0, -1) + (first?.text.slice(1) ?? ''), path }, ...more);
  }

  #wordsOf(node: SyntaxNode): string[] {
    const [word, ...more] = node.type === 'command_name' ? node.namedChildren : [];
    return expandWords(more.length === 0 ? (word ?? node) : node, this);
  }

  #redirected(node: SyntaxNode, stdin: Data): Data {
    const redirects = readRedirects(node, this);
    const outer = this.manner;
    this.manner = { ...outer, silent: outer.silent || redirects.silent };
    const body = node.child('body');
    let output = body ? this.run(body, redirects.stdin ?? stdin) : NOTHING;
    for (const next of redirects.pipeline) output = this.run(next, output);
    this.manner = outer;
    return this.#store(output, redirects);
  }

  #store(output: Data, { target, append, sent }: Redirects): Data {
    if (sent) judgeSent(output, this.path, this.docket);
    if (target === undefined) return output;
    const before = append ? this.scope.read(target) : undefined;
    this.keep(target, before ? concatenate(before, output) : output);
    return NOTHING;
  }

  #assign(node: SyntaxNode): void {
    const name = node.child('name')?.text.replace(/\[.*$/s, '');
    const value = node.child('value');
    if (name === undefined) return;
    const outer = this.#made;
    this.#made = undefined;
    const text = value ? expandText(value, this) : '';
    const appended = node.children.some(({ type }) => type === '+=') && this.scope.has(name);
    if (!this.scope.set(name, appended ? this.scope.get(name) + text : text, this.#made))
      this.docket.report('analysis-limit', this.path, 'It sets more variables than are kept.');
    this.#made = outer ?? this.#made;
  }

  #loop(node: SyntaxNode, stdin: Data): Data {
    const name = node.child('variable')?.text ?? '';
    const values = node.childrenIn('value').flatMap((value) => expandWords(value, this));
    const body = node.child('body');
    let output = NOTHING;
    const text = body?.text ?? '';
    const prints =
      values.length > PRINTING_FROM &&
      text.length < PRINTING_LENGTH &&
      /^do\s+(?:printf|echo)\b[^;\n|]*;?\s*done$/.test(text);
    const limit = prints ? PRINTING_LOOP_LIMIT : (LOOP_LIMITS[this.#loopDepth] ?? 1);
    if (values.length > limit) {
      const message = `A loop was read for the first ${limit} of its ${values.length} values.`;
      this.docket.report('analysis-limit', this.path, message, undefined, LOOP_CUT_SCORE);
    }
    this.#loopDepth++;
    for (const value of values.length === 0 ? [UNKNOWN] : values.slice(0, limit)) {
      // Of loops within loops the rest would be gone through in vain.
      if (!this.docket.follow(STEP_COST, this.path)) break;
      this.scope.set(name, value);
      if (body) output = concatenate(output, this.run(body, stdin));
    }
    this.#loopDepth--;
    return prints ? { ...output, decoded: true } : output;
  }

  /** A copy or a link is what it was made from: `cp /bin/busybox /tmp/b`. */
  #original(words: readonly Word[]): readonly Word[] {
    const [first] = words;
    const name = first && this.scope.originalOf(first.text);
    return first && name !== undefined ? [{ ...first, text: name }, ...words.slice(1)] : words;
  }

  /** An alias may start with the command of its own name; it is not expanded again. */
  #callAlias({ text, path }: Word, alias: string, words: readonly Word[], stdin: Data): Data {
    this.aliases.delete(text);
    const output = this.runScript(`${alias} ${words.map((word) => quote(word.text)).join(' ')}`, path, stdin);
    this.aliases.set(text, alias);
    return output;
  }

  #callFunction(name: string, body: SyntaxNode, words: readonly Word[], stdin: Data): Data {
    const active = this.#active.get(name) ?? 0;
    // A function that calls itself has been read as it is.
    if (active > RECURSION_LIMIT) return UNKNOWN_DATA;
    const outer = this.scope.positional;
    this.#called.add(name);
    this.#active.set(name, active + 1);
    this.#functionDepth++;
    this.scope.positional = words.map(({ text }) => text);
    const output = this.run(body, stdin);
    this.scope.positional = outer;
    this.#functionDepth--;
    this.#active.set(name, active);
    return output;
  }

  /** A function that nothing calls here may be called from elsewhere. */
  #runUncalled(): void {
    for (const [name, body] of this.#functions) if (!this.#called.has(name)) this.run(body, UNKNOWN_DATA);
  }
}
