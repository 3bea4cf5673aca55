/** Structured logs on stdout: JSON lines. Fields are chosen where something is logged; secrets are never among them. */
import { type Logger, pino, stdSerializers } from 'pino';

export type Log = Logger;

export function createLog(level: string, destination?: number): Log {
  const options = {
    level,
    base: { service: 'hallpass' },
    serializers: { error: errorFields, err: errorFields },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination === undefined ? pino(options) : pino(options, pino.destination({ fd: destination, sync: true }));
}

/** Type, message and stack, and not whatever else hangs on an error: a vendor's response may hold a token. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack } = stdSerializers.err(error);
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type, message, ...code, stack };
}
