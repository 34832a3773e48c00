import type { TimelineEntry } from '../../../../api/incident.ts';
import { escapeMarkup as e } from '../escape.ts';
import { figure, label, round, WIDTH } from './figure.ts';

const LANES: readonly TimelineEntry['source'][] = ['runtime', 'admission', 'audit', 'response', 'operator'];
const LANE = 34;
const LEFT = 90;
const TICKS = 5;

/** A lane for each source, a mark for each line: when who saw or did something, at one look. */
export function timelineFigure(entries: readonly TimelineEntry[]): string {
  const times = entries.map(({ time }) => Date.parse(time)).filter(Number.isFinite);
  if (times.length === 0) return '';
  const first = Math.min(...times);
  const span = Math.max(Math.max(...times) - first, 1);
  const lanes = LANES.filter((lane) => entries.some(({ source }) => source === lane));
  const bottom = lanes.length * LANE;
  const x = (time: number) => LEFT + 10 + ((time - first) / span) * (WIDTH - LEFT - 30);
  const rows = lanes.map((lane, at) => {
    const y = at * LANE + LANE / 2;
    return `<line x1="${LEFT}" x2="${WIDTH}" y1="${y}" y2="${y}" class="grid"/>${label(0, y + 4, lane)}`;
  });
  const marks = entries.flatMap(({ time, source, message }) => {
    const at = Date.parse(time);
    if (!Number.isFinite(at)) return [];
    const y = lanes.indexOf(source) * LANE + LANE / 2;
    return [
      `<circle cx="${round(x(at))}" cy="${y}" r="5" class="${source}"><title>${e(`${time} ${message}`)}</title></circle>`,
    ];
  });
  const ticks = Array.from({ length: TICKS }, (_, number) => {
    const time = first + (span * number) / (TICKS - 1);
    const anchor = number === TICKS - 1 ? ' text-anchor="end"' : number > 0 ? ' text-anchor="middle"' : '';
    return `<text x="${round(x(time))}" y="${bottom + 18}"${anchor}>${clock(time, span)}</text>`;
  });
  const title = 'Timeline';
  const description = `${entries.length} lines from ${new Date(first).toISOString()} on, over ${duration(span)}; the table has them in words.`;
  return figure(
    'timeline',
    { title, description, height: bottom + 26 },
    [...rows, ...marks, ...ticks].join(''),
  );
}

/** Hours and minutes are enough for a long one. */
function clock(time: number, span: number): string {
  const text = new Date(time).toISOString();
  return span < 10_000 ? text.slice(11, 23) : span < 86_400_000 ? text.slice(11, 19) : text.slice(5, 16);
}

function duration(ms: number): string {
  return ms < 120_000 ? `${round(ms / 1000)} s` : `${round(ms / 60_000)} minutes`;
}
