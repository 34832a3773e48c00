import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where built and fetched things stay between runs, and where clusters keep their state. */
export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kubesentry');
