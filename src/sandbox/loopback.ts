/**
 * Loaded into a process that is not ours before anything else: whatever it listens on, it listens on this machine alone,
 * and it ends with whoever started it.
 * The Playground offers no address to bind, and would be open to the whole network.
 */
import { Server } from 'node:net';

const LOOPBACK = '127.0.0.1';
type Listen = (this: Server, ...args: unknown[]) => Server;
const listen = Server.prototype.listen as unknown as Listen;

const local: Listen = function (...args) {
  const [first, second, ...rest] = args;
  if (typeof first === 'object' && first !== null && 'port' in first)
    return listen.call(this, { ...first, host: LOOPBACK }, ...args.slice(1));
  if (typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first)))
    return listen.call(this, first, LOOPBACK, ...(typeof second === 'string' ? rest : args.slice(1)));
  return listen.apply(this, args);
};
// The sandbox is gone: nobody is left to look at it.
process.once('disconnect', () => process.exit(0));

Server.prototype.listen = local as unknown as typeof Server.prototype.listen;
