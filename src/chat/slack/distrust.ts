/**
 * Notices that nothing that claims to come from Slack can be believed: the signing secret is another app's or was
 * changed, or this machine's clock is wrong. Each delivery is refused quietly, as it must be; that all of them are is
 * said aloud.
 */
import type { Log } from './log.ts';

/** In a row, and well-formed: somebody's stray request is not news. */
const REFUSED_MANY = 3;

export interface Distrust {
  /** What became of one delivery, as the receiver counts it. */
  saw(outcome: string): void;
  /** What an operator should know; absent as long as deliveries are believed. */
  problem(): string | undefined;
}

export function createDistrust(logger: Log): Distrust {
  let refused = 0;
  let why = '';
  return {
    saw(outcome) {
      // Without the headers of a signature it does not even claim to come from Slack.
      if (outcome === 'untrusted_header') return;
      if (outcome !== 'untrusted_signature' && outcome !== 'untrusted_age') {
        refused = 0;
        return;
      }
      refused += 1;
      why =
        outcome === 'untrusted_age'
          ? 'their time is not the time of this machine; is its clock right?'
          : 'SLACK_SIGNING_SECRET does not make their signature; is it still this app’s?';
      if (refused === REFUSED_MANY) logger.error({ why }, 'deliveries that claim to come from Slack are all refused');
    },
    problem: () => (refused < REFUSED_MANY ? undefined : `the last ${refused} deliveries were refused (401): ${why}`),
  };
}
