/** One step of the story, as `--json` prints it. */
export interface Step {
  step: string;
  ok: boolean;
  /** Milliseconds since the first hostile act of the story; since the start of the demo before that. */
  ms: number;
  detail?: string;
}

export interface Narrator {
  /** Opens a screen: what is about to happen, for a newcomer. */
  scene(title: string, text: string): void;
  /** Real output, as it came. */
  output(text: string): void;
  step(step: Step): void;
}

/** Tells the story on a terminal. */
export function terminalNarrator(write: (text: string) => void, colour: boolean): Narrator {
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  let scenes = 0;
  return {
    scene(title, text) {
      scenes += 1;
      write(`\n${paint(1, `${scenes}. ${title}`)}\n${text}\n`);
    },
    output(text) {
      write(
        `${paint(
          2,
          text
            .trimEnd()
            .split('\n')
            .map((line) => `    ${line}`)
            .join('\n'),
        )}\n`,
      );
    },
    step({ step, ok, ms, detail }) {
      const mark = ok ? paint(32, 'ok  ') : paint(31, 'FAILED');
      write(`  ${mark} ${step.padEnd(22)} ${`${ms} ms`.padStart(9)}${detail ? `   ${detail}` : ''}\n`);
    },
  };
}

/** Says nothing: for `--json`, where only the document counts. */
export const silentNarrator: Narrator = { scene() {}, output() {}, step() {} };
