import { expect, it } from 'vitest';
import { textLine } from '../../runtime/text-output.ts';
import { sampleDetection } from './sample-detection.ts';

it('is one line that says what, where and how sure', () => {
  const line = textLine(sampleDetection(1, { action: 'killed', repeats: 4 }));
  expect(line).toMatch(/CRITICAL.*miner-name \(100 %\).*\/tmp\/xmrig.*\[killed\].*\[seen 5 times\]/);
});

it('does not let a process write to the terminal', () => {
  const detection = sampleDetection(1);
  detection.process.argv = ['xmrig', '\u001b[2Jgone\n\u202eevil'];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
  expect(textLine(detection)).not.toMatch(/[\u0000-\u001f\u202e]/);
});

it('what two fields of a process say is said once', () => {
  const detection = sampleDetection(1);
  const finding = { rule: 'miner-name', severity: 'critical', score: 100, remedy: '', evidence: '' } as const;
  detection.evidence.findings = ['exe', 'argv[0]'].map((path) => ({
    ...finding,
    path,
    message: 'It starts xmrig.',
  }));
  expect(textLine(detection).split('It starts xmrig.')).toHaveLength(2);
});
