/** Logging from this room: our own shape, and Bolt's made to fit it. */
import { type Logger as BoltLogger, LogLevel } from '@slack/bolt';

export type { BoltLogger };

/** What the room needs of a logger; pino's fits. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Bolt's debug lines carry whole request bodies, so they are dropped whatever the level is. */
export function boltLogger(log: Log): BoltLogger {
  const line = (message: readonly unknown[]) => message.map(said).join(' ');
  return {
    debug: () => {},
    info: (...message) => log.debug({ from: 'bolt' }, line(message)),
    warn: (...message) => log.warn({ from: 'bolt' }, line(message)),
    error: (...message) => log.error({ from: 'bolt' }, line(message)),
    setLevel: () => {},
    getLevel: () => LogLevel.INFO,
    setName: () => {},
  };
}

/** An error in one line, without the request it came from, and never a token. */
export function said(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/xox[a-z]-[\w-]+|xapp-[\w-]+/g, '[token]').slice(0, 500);
}
