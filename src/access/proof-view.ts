/** What a person is about to confirm, for the page that asks for the click. */
import type { AccountRef, Entitlement, Instant, Proof } from './model.ts';
import type { RequestView } from './view.ts';
import { durationText, timeText } from './words.ts';

export interface ProofView {
  readonly title: string;
  /** `Who`, `What` and so on, in order. */
  readonly lines: readonly (readonly [label: string, text: string])[];
  /** What the button says. */
  readonly button: string;
  /** Who has signed in, and how long the click may take. */
  readonly note: string;
}

export interface Confirmed {
  /** The one to be approved. */
  readonly request?: RequestView;
  /** As the file has it now. */
  readonly entitlement?: Entitlement;
}

export function proofView(proof: Proof, { request, entitlement }: Confirmed, now: Instant, zone: string): ProofView {
  const by = timeText(Math.min(proof.expiresAt, proof.freshUntil ?? proof.expiresAt), now, zone);
  const note = `Signed in as ${proof.personName}. You asked for it ${timeText(proof.createdAt, now, zone)}; confirm it by ${by}.`;
  const { command } = proof;
  if (command?.do === 'link') return linkView(proof, command.by, note);
  const what = `${entitlement?.title ?? request?.title ?? proof.entitlement} (${proof.entitlement})`;
  if (proof.purpose === 'approve' || command === undefined || command.do === 'approve') {
    const durationMs = (command?.do === 'approve' ? command.durationMs : undefined) ?? request?.durationMs;
    return {
      title: request === undefined ? 'Approve access' : `Approve access for ${request.requesterName}`,
      lines: [
        ...(request === undefined ? [] : [['Request', request.id] as const, ['Who', request.requesterName] as const]),
        ['What', what],
        ...(durationMs === undefined ? [] : [['How long', lengthOf(request, durationMs)] as const]),
        ...(request === undefined
          ? []
          : [
              ['Adds to', request.groups.map(({ directory, group }) => `${group} (${directory})`).join(', ')] as const,
              ['Why', request.reason] as const,
            ]),
      ],
      button: 'Approve',
      note,
    };
  }
  const { duration, reason } = command;
  const usual = entitlement?.policy.duration.defaultMs;
  const howLong =
    duration === undefined
      ? usual === undefined
        ? 'the usual time'
        : durationText(usual)
      : 'until' in duration
        ? `until ${String(duration.until.hour).padStart(2, '0')}:${String(duration.until.minute).padStart(2, '0')}`
        : durationText(duration.ms);
  return {
    title: TITLES[command.do],
    lines: [
      ['What', what],
      [command.do === 'extend' ? 'How much longer' : 'How long', howLong],
      ...(reason === undefined || reason === '' ? [] : [['Why', reason] as const]),
      ...(entitlement === undefined ? [] : [['Policy', entitlement.policy.name] as const]),
    ],
    button: BUTTONS[command.do],
    note,
  };
}

/** Whoever was sent such a link by somebody else must see whose account it is. */
function linkView({ personName }: Proof, { platform, tenant, id }: AccountRef, note: string): ProofView {
  return {
    title: 'Link a chat account to you',
    lines: [
      ['Account', `${platform === 'slack' ? 'Slack' : 'Teams'} account ${id} in ${tenant}`],
      ['To', personName],
      ['Means', 'Whoever uses that account acts as you: asks for your access, and approves in your name.'],
    ],
    button: 'It is my account',
    note,
  };
}

const TITLES = {
  request: 'Ask for access',
  extend: 'Ask for more time',
  'break-glass': 'Take access without approval',
} as const;

const BUTTONS = { request: 'Ask for it', extend: 'Ask for it', 'break-glass': 'Break the glass' } as const;

function lengthOf(request: RequestView | undefined, durationMs: number): string {
  const asked = request?.durationMs ?? durationMs;
  const length = durationText(durationMs);
  const more = request?.extension === undefined ? '' : ' more';
  return asked === durationMs ? `${length}${more}` : `${length}${more} of the ${durationText(asked)} asked for`;
}
