import { type Logger, pino } from 'pino';

/** What the parts of the webhook need of a logger. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on standard output, buffered: a slow reader of the log must not slow admission down. */
export function stdoutLog(level: LogLevel): Log {
  return pino(
    { level, base: null, redact: ['headers.authorization', 'token'] },
    pino.destination({ fd: 1, sync: false, minLength: 4096, periodicFlush: 100 }),
  );
}
