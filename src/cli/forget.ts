/**
 * `hallpass forget`: what an account, an email or a person's account in a directory was first seen to be is forgotten,
 * after somebody has looked at a changed identity and found it right. It gives nothing: whoever comes next is pinned
 * anew by the same rules.
 */
import { event } from '../access/decision.ts';
import { cleanReason } from '../access/grammar.ts';
import { accountKey } from '../access/links.ts';
import type { AccountRef, Change, Pin } from '../access/model.ts';
import type { Settings } from '../config.ts';
import { opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

export interface ForgetOrder {
  readonly kind: 'account' | 'email' | 'user' | 'subject';
  readonly name: string;
  readonly reason: string;
  readonly operator: string;
}

const FORMS: Record<ForgetOrder['kind'], string> = {
  account: 'slack:T012ABC/U012ABC or teams:<tenant id>/<object id>',
  email: 'an email as hallpass.yaml has it',
  user: '<directory>:<person>, such as google:okta/00u1',
  subject: '"<issuer> <sub>", such as "https://acme.okta.com 00u1"',
};

export async function forgetCommand(io: Out, settings: Settings, order: ForgetOrder): Promise<number> {
  const no = (error: string): number => {
    io.say({ ok: false, error }, error);
    return EXIT.failed;
  };
  const reason = cleanReason(order.reason);
  if (typeof reason !== 'string' || reason === '') return no('Say why, in plain words: it is kept in the trail.');
  const what = readName(order);
  if (what === undefined) return no(`"${order.name}" is none: write ${FORMS[order.kind]}.`);
  const { store, clock } = await opened(settings);
  try {
    const key = 'account' in what ? accountKey(what.account) : undefined;
    const linked = key === undefined ? undefined : await store.pinned('linked', key);
    const pinned = 'account' in what ? await store.personOf(what.account) : await store.pinned(what.space, what.name);
    const known = pinned ?? linked;
    if (known === undefined) return no(`Nothing is known of ${order.kind} ${order.name}; there is nothing to forget.`);
    const actor = { kind: 'operator', name: order.operator } as const;
    const about = { detail: { kind: order.kind, was: known }, personal: { name: order.name, reason } };
    const unlink: readonly Change[] =
      key === undefined || linked === undefined
        ? []
        : [{ drop: 'pin', id: `linked ${key}`, space: 'linked', name: key }];
    const forgotten = pinned === undefined ? [] : dropped(what, pinned);
    await store.commit({ changes: [...forgotten, ...unlink, event('identity.forgotten', clock.now(), actor, about)] });
    io.say({ ok: true, kind: order.kind, name: order.name, was: known }, [
      `Forgotten: ${order.kind} ${order.name} was ${known}.`,
      'Whoever comes under it next is looked up and pinned anew, within a minute.',
    ]);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

type Known = { readonly account: AccountRef } | { readonly space: Pin['space']; readonly name: string };

function readName({ kind, name }: ForgetOrder): Known | undefined {
  if (kind === 'email')
    return /^[^@\s]+@[^@\s]+$/.test(name) ? { space: 'email', name: name.toLowerCase() } : undefined;
  if (kind === 'user') {
    const [, directory, person] = /^([^:\s]+):(\S+\/\S+)$/.exec(name) ?? [];
    return directory === undefined ? undefined : { space: 'user', name: `${directory} ${person}` };
  }
  if (kind === 'subject') return /^https?:\/\/\S+ \S+$/.test(name) ? { space: 'subject', name } : undefined;
  const [, platform, tenant, id] = /^(slack|teams):([^/\s]+)\/(\S+)$/.exec(name) ?? [];
  if (tenant === undefined || id === undefined) return undefined;
  return { account: { platform: platform === 'teams' ? 'teams' : 'slack', tenant, id } };
}

function dropped(what: Known, known: string): readonly Change[] {
  if ('account' in what) return [{ drop: 'account_pin', id: what.account.id, account: what.account }];
  const { space, name } = what;
  const pin = { drop: 'pin', id: `${space} ${name}`, space, name } as const;
  if (space === 'subject') {
    const back = `${name.split(' ')[0]} ${known}`;
    return [pin, { drop: 'pin', id: `signs_in ${back}`, space: 'signs_in', name: back }];
  }
  if (space !== 'user') return [pin];
  // The account there is nobody's again, too.
  const owned = `${name.split(' ')[0]} ${known}`;
  return [pin, { drop: 'pin', id: `owner ${owned}`, space: 'owner', name: owned }];
}
