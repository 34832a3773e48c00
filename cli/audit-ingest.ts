import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { KubesentryError } from '../api/errors.ts';
import { eventsInEnvelope } from '../webhook/audit/envelope.ts';
import { readEvent } from '../webhook/audit/event.ts';
import type { Fact } from '../webhook/audit/fact.ts';
import { Sightings } from '../webhook/audit/interest.ts';
import type { FactStore } from '../webhook/audit/store.ts';

export interface IngestCounts {
  events: number;
  kept: number;
  dropped: number;
  /** Events that are none, and lines that hold none. */
  malformed: number;
}

const BATCH = 400;

/** Reads audit logs into `store`, one line at a time. Raises INPUT_UNREADABLE. */
export async function ingest(files: readonly string[], store: Pick<FactStore, 'add'>): Promise<IngestCounts> {
  const counts: IngestCounts = { events: 0, kept: 0, dropped: 0, malformed: 0 };
  const sightings = new Sightings();
  let batch: Fact[] = [];
  for (const file of files) {
    for await (const value of documentsIn(file)) {
      const events = eventsInEnvelope(value);
      if (events.length === 0) counts.malformed++;
      for (const event of events) {
        counts.events++;
        const reading = readEvent(event, sightings);
        if ('malformed' in reading) counts.malformed++;
        else if ('dropped' in reading) counts.dropped++;
        else batch.push(reading.fact);
      }
      if (batch.length < BATCH) continue;
      await store.add(batch);
      counts.kept += batch.length;
      batch = [];
    }
  }
  await store.add(batch);
  counts.kept += batch.length;
  return counts;
}

/** JSON lines, or one document over many lines; what is no JSON is undefined. */
async function* documentsIn(file: string): AsyncGenerator<unknown> {
  try {
    const input = file === '-' ? process.stdin : createReadStream(file);
    let first = true;
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === '') continue;
      const value = parse(line);
      if (first && value === undefined && file !== '-') {
        yield parse(await readFile(file, 'utf8'));
        return;
      }
      first = false;
      yield value;
    }
  } catch (cause) {
    throw new KubesentryError('INPUT_UNREADABLE', `${file} cannot be read.`, { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
