/** The baseline: a Bolt app as its documentation shows it, that does nothing but acknowledge. */
import bolt from '@slack/bolt';
import { SECRETS } from '../../src/sandbox/world.ts';

const { App, HTTPReceiver, LogLevel } = bolt;
const receiver = new HTTPReceiver({
  signingSecret: SECRETS.signingSecret,
  endpoints: '/slack/events',
  logLevel: LogLevel.ERROR,
});
const app = new App({ receiver, authorize: async () => ({}), logLevel: LogLevel.ERROR });
let acks = 0;
app.command(/.*/, async ({ ack }) => {
  acks += 1;
  await ack();
});
const server = await app.start({ port: 0, host: '127.0.0.1' });
const address = (server as { address(): unknown }).address();
const port = typeof address === 'object' && address !== null && 'port' in address ? address.port : undefined;

process.on('message', () => process.send?.({ acks, cpu: process.cpuUsage() }));
process.once('disconnect', () => process.exit(0));
process.send?.({ port });
