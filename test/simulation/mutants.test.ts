/**
 * A simulation is worth what it notices. Each of these mistakes, put in on purpose, is found within a few histories,
 * counted from one that found it when this was written. Four were tried and left out, since what stands beside them makes
 * them harmless, or so rare that thousands of histories would be needed: a timer that rings at an end that has moved (it
 * looks again), an operation that is "done" although a new wish came in (the membership row's guard speaks first), an
 * absent read that proves a removal nobody accepted (it is absent all the same), and reads whose lag is not waited for.
 */
import { expect, test } from 'vitest';
import { simulate } from './history.ts';
import { MUTANTS } from './mutants.ts';
import { Violation } from './world.ts';

const HISTORIES = 40;

/** Where to begin, so that an ordinary run is short. */
const FOUND_AT: Readonly<{ [name: string]: number }> = {
  'an accepted removal needs no proof': 14,
  'a lost addition is forgotten': 21,
  'grants are put without a guard': 6,
  'a removal is given up after three failures': 6,
  'a person with two accounts is two people': 10,
  'whoever could not be looked up may approve': 13,
  'a delivery acts as often as it arrives': 328,
  'a lost addition is taken for none': 2,
  'a membership that only rests unchanged is not put': 2,
  'an ending grant owes no removal': 2,
  'what waits when a revocation is confirmed is left waiting': 23,
};

test.each(Object.keys(MUTANTS))('it is noticed when %s', { timeout: 120_000 }, async (name) => {
  const from = FOUND_AT[name] ?? 1;
  const mutant = MUTANTS[name];
  if (mutant === undefined) expect.fail('there is no such mutant');
  for (let seed = from; seed < from + HISTORIES; seed++) {
    const broken = await simulate({ seed, mutant, trace: true }).then(
      () => false,
      (error: unknown) => {
        if (!(error instanceof Violation)) throw error;
        return true;
      },
    );
    if (broken) return;
  }
  expect.fail(`${HISTORIES} histories from seed ${from} noticed nothing`);
});
