/** Runs in a guest: goes through the functional list and prints each result as one line. */
import { tryAbilities } from './abilities.ts';
import { ABILITY } from './marks.ts';

await tryAbilities((result) => console.log(ABILITY + JSON.stringify(result)));
// Stand-ins that hold connections would keep it alive.
process.exit(0);
