import type { Grounds } from '../load/grounds.ts';
import type { Storms } from '../load/storm.ts';

/** What every measurement is given. */
export interface Measurement {
  grounds: Grounds;
  load: Storms;
  log: (line: string) => void;
}
