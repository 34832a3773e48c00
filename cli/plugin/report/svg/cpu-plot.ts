import type { CpuCourse } from '../facts.ts';
import { figure, label, round, WIDTH } from './figure.ts';

const HEIGHT = 160;
const LEFT = 48;
const TOP = 6;

/** Percent of what the container may use, over time; its habit as a dashed line. */
export function cpuFigure(id: string, { pod, samples, baseline }: CpuCourse): string {
  const first = samples[0]?.[0] ?? 0;
  const span = Math.max((samples.at(-1)?.[0] ?? 1) - first, 1);
  const y = (percent: number) => TOP + HEIGHT - (Math.min(Math.max(percent, 0), 100) / 100) * HEIGHT;
  const point = ([time, percent]: readonly [number, number]) =>
    `${round(LEFT + ((time - first) / span) * (WIDTH - LEFT))},${round(y(percent))}`;
  const grid = [0, 50, 100].map(
    (percent) =>
      `<line x1="${LEFT}" x2="${WIDTH}" y1="${y(percent)}" y2="${y(percent)}" class="grid"/>${label(0, y(percent) + 5, `${percent} %`)}`,
  );
  const habit =
    baseline === undefined
      ? ''
      : `<line x1="${LEFT}" x2="${WIDTH}" y1="${round(y(baseline))}" y2="${round(y(baseline))}" class="habit"/>`;
  const course = `<polyline points="${samples.map(point).join(' ')}" class="course"/>`;
  const seconds = Math.round(span / 1000);
  const known = baseline === undefined ? 'no habit of it is known' : `its habit is ${Math.round(baseline)} %`;
  const description = `Percent of the CPU that pod ${pod} may use, over ${seconds} s: ${samples[0]?.[1]} % first, ${samples.at(-1)?.[1]} % last; ${known}.`;
  const axis = `${label(LEFT, TOP + HEIGHT + 18, '0 s')}<text x="${WIDTH}" y="${TOP + HEIGHT + 18}" text-anchor="end">${seconds} s</text>`;
  return figure(
    id,
    { title: `CPU of ${pod}`, description, height: TOP + HEIGHT + 26 },
    grid.join('') + habit + course + axis,
  );
}
