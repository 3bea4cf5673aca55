/**
 * The audit chain as it is written and told.
 *
 * The canonical text of an event (RFC 8785) holds the hash of the event before it, its own place, and a salted digest
 * for every text from or about people. Its SHA-256, over the bytes as stored, is the event's hash. The texts and salts
 * are kept beside the chain: when one is erased nothing in the chain changes, and without its salt the digest tells
 * nothing, not even to someone who guesses the text.
 */
import canonicalize from 'canonicalize';
import type { Actor, AuditEvent } from '../access/model.ts';
import type { Values } from './rows.ts';
import { type Program, run } from './session.ts';

const NAME = 'actor.name';
const PERSONAL = 'personal.';
const ERASED = '[erased]';

export interface Secrets {
  /** SHA-256, hex. */
  hash(text: string): string;
  /** At least 128 random bits, never the same twice. */
  salt(): string;
}

interface PersonalText {
  readonly field: string;
  readonly salt: string;
  readonly text: string;
}

/** Links the events in the order given, inside the transaction that the program runs in. */
export function* link(events: readonly AuditEvent[], secrets: Secrets): Program<void> {
  if (events.length === 0) return;
  const [head] = yield* run((s) => s.statements.chainHead({}));
  if (!head) throw new Error('the audit chain has lost its head');
  let { seq, hash: prevHash } = head;
  for (const event of events) {
    seq += 1;
    const { canonical, texts } = canonicalText(event, seq, prevHash, secrets);
    const hash = secrets.hash(canonical);
    const row: Values = {
      seq,
      prevHash,
      hash,
      canonical,
      at: event.at,
      kind: event.kind,
      actor: searchable(event.actor),
      requestId: event.requestId ?? null,
      grantId: event.grantId ?? null,
    };
    yield* run((s) => s.statements.insertEvent(row));
    for (const { field, salt, text } of texts) {
      const place = seq;
      yield* run((s) => s.statements.insertPersonal({ seq: place, field, salt, text }));
    }
    prevHash = hash;
  }
  const last = { seq, hash: prevHash };
  yield* run((s) => s.statements.moveHead(last));
}

function canonicalText(event: AuditEvent, seq: number, prevHash: string, secrets: Secrets) {
  const texts: PersonalText[] = [];
  const conceal = (field: string, text: string): string => {
    const salt = secrets.salt();
    texts.push({ field, salt, text });
    return secrets.hash(salt + text);
  };
  const { actor, personal, ...plain } = event;
  const digests = Object.entries(personal ?? {}).map(([field, text]) => [field, conceal(PERSONAL + field, text)]);
  const canonical = canonicalize({
    ...plain,
    seq,
    prevHash,
    actor: 'name' in actor ? { ...actor, name: conceal(NAME, actor.name) } : actor,
    personal: Object.fromEntries(digests),
  });
  if (canonical === undefined) throw new Error('an audit event has no canonical text');
  return { canonical, texts };
}

/** Ids only: this column cannot be erased. */
function searchable(actor: Actor): string {
  switch (actor.kind) {
    case 'person':
      return actor.id;
    case 'account':
      return `${actor.account.platform}/${actor.account.tenant}/${actor.account.id}`;
    case 'operator':
      return 'operator';
    case 'hallpass':
      return `hallpass/${actor.part}`;
  }
}

/** The event as it was put, with the texts still kept: an erased field is absent, an erased name reads `[erased]`. */
export function recall(
  canonical: string,
  kept: readonly { readonly field: string; readonly text: string }[],
): AuditEvent {
  const texts = new Map(kept.map(({ field, text }) => [field, text]));
  const {
    seq: _seq,
    prevHash: _prevHash,
    personal: digests,
    actor,
    ...plain
  } = JSON.parse(canonical) as AuditEvent & {
    seq: number;
    prevHash: string;
  };
  const personal = Object.keys(digests ?? {}).flatMap((field) => {
    const text = texts.get(PERSONAL + field);
    return text === undefined ? [] : [[field, text] as const];
  });
  return {
    ...plain,
    actor: 'name' in actor ? { ...actor, name: texts.get(NAME) ?? ERASED } : actor,
    ...(personal.length === 0 ? {} : { personal: Object.fromEntries(personal) }),
  };
}
