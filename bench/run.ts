/**
 * `npm run bench -- <name> [--quick]`. Everything for people goes to stderr; the last line on stdout is one JSON object
 * `{ name, ratio, rounds, … }`, `ratio` being ours over the baseline of the same run.
 */
import { ack } from './ack.ts';
import { activity } from './activity.ts';
import { audit } from './audit.ts';
import { digest } from './digest.ts';
import { expiry } from './expiry.ts';
import { policy } from './policy.ts';
import { rate } from './rate.ts';
import { respond } from './respond.ts';

const BENCHMARKS: Readonly<Record<string, (quick: boolean) => Promise<object>>> = {
  ack,
  digest,
  expiry,
  rate,
  audit,
  policy,
  respond,
  activity,
};

const [name = '', ...flags] = process.argv.slice(2);
const bench = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
if (bench === undefined || flags.some((flag) => flag !== '--quick')) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(BENCHMARKS).join('|')} [--quick]\n`);
  process.exitCode = 2;
} else {
  process.stdout.write(`${JSON.stringify(await bench(flags.includes('--quick')))}\n`);
}
