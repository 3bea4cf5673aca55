/** A form that was sent, as the command that could have been typed. Decides nothing. */
import type { Aim, Command, Refusal } from '../access/command.ts';
import { cleanReason } from '../access/grammar.ts';
import type { Caller, PersonId } from '../access/model.ts';
import type { People, Store } from '../access/ports.ts';

const OPAQUE = /^[\w.:-]{1,100}$/;
const DURATION = /^[1-9]\d{0,9}$/;

/** What it stands for; `undefined` for what no page of ours sends. */
export async function commandOf(
  form: URLSearchParams,
  by: Caller,
  parts: { readonly store: Pick<Store, 'freeze' | 'accountOf'>; readonly people: Pick<People, 'userIn'> },
): Promise<Command | Refusal | undefined> {
  const reason = cleanReason(form.get('reason') ?? '');
  if (typeof reason !== 'string') return reason;
  const field = (name: string) => form.get(name) ?? '';
  const opaque = (name: string) => (OPAQUE.test(field(name)) ? field(name) : undefined);
  const said = reason === '' ? {} : { reason };
  const note = reason === '' ? {} : { note: reason };
  switch (field('do')) {
    case 'approve': {
      const card = opaque('card');
      const ms = field('duration');
      if (card === undefined || (ms !== '' && !DURATION.test(ms))) return undefined;
      return { do: 'approve', by, target: { card }, ...(ms === '' ? {} : { durationMs: Number(ms) }) };
    }
    case 'deny': {
      const card = opaque('card');
      return card === undefined ? undefined : { do: 'deny', by, target: { card }, ...said };
    }
    case 'cancel':
    case 'return': {
      const typed = opaque('target');
      return typed === undefined
        ? undefined
        : { do: field('do') === 'cancel' ? 'cancel' : 'return', by, target: { typed } };
    }
    case 'revoke': {
      const typed = opaque('target');
      if (typed === undefined || !/^G-/i.test(typed)) return undefined;
      return reason === '' ? needsReason : { do: 'revoke', by, target: { typed }, reason };
    }
    case 'sign_off':
    case 'question': {
      const card = opaque('review');
      const verdict = field('do') === 'sign_off' ? 'sign_off' : 'question';
      if (card === undefined) return undefined;
      if (verdict === 'question' && reason === '') return needsReason;
      return { do: 'review', by, target: { card }, verdict, ...note };
    }
    case 'ask_holder':
    case 'revoke_finding': {
      const finding = opaque('finding');
      if (finding === undefined) return undefined;
      return field('do') === 'ask_holder' ? { do: 'ask-holder', by, finding } : { do: 'revoke-finding', by, finding };
    }
    case 'dismiss_finding': {
      const finding = opaque('finding');
      if (finding === undefined) return undefined;
      return reason === '' ? needsReason : { do: 'dismiss-finding', by, finding, reason };
    }
    case 'sign_digest': {
      const day = field('day');
      return /^\d{4}-\d{2}-\d{2}$/.test(day) ? { do: 'sign-digest', by, which: { day }, ...note } : undefined;
    }
    case 'freeze': {
      const target = field('target');
      const aim: Aim | undefined =
        target === 'all'
          ? { all: true }
          : target.startsWith('resource:')
            ? { resource: target.slice(9, 109) }
            : undefined;
      if (aim === undefined) return undefined;
      return reason === '' ? needsReason : { do: 'freeze', by, aim, reason };
    }
    case 'unfreeze': {
      const freeze = await parts.store.freeze(field('freeze').slice(0, 300));
      if (freeze === undefined) return undefined;
      const { scope } = freeze;
      const aim = scope.kind === 'person' ? await personAim(scope.person, parts) : aimOf(scope);
      return { do: 'unfreeze', by, aim };
    }
    default:
      return undefined;
  }
}

const needsReason: Refusal = { code: 'reason_missing', minLength: 1 };

function aimOf(scope: { readonly kind: 'all' } | { readonly kind: 'resource'; readonly resource: string }): Aim {
  return scope.kind === 'all' ? { all: true } : { resource: scope.resource };
}

/** By a pinned account where there is one, which needs no directory; else by email. */
async function personAim(person: PersonId, { store, people }: Parameters<typeof commandOf>[2]): Promise<Aim> {
  const account = (await store.accountOf(person, 'slack')) ?? (await store.accountOf(person, 'teams'));
  if (account !== undefined) return { account };
  const directory = person.slice(0, person.indexOf('/'));
  const user = await people.userIn(directory, person);
  return { email: user.email || user.login };
}
