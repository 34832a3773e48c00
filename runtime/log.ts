import { type Logger, pino } from 'pino';

/** What the agent's parts need of a logger. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on standard error: standard output belongs to the detections. */
export function stderrLog(level: LogLevel): Log {
  return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
}
