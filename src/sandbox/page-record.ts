/** What the sandbox's page tells of the record: live grants, the trail's tail, and what has been tried so far. */
import type { Actor, Grant, GrantId, Instant, RequestId } from '../access/model.ts';
import { openStore } from '../store/database.ts';
import { PEOPLE } from './world.ts';

export interface TrailLine {
  readonly seq: number;
  readonly at: Instant;
  readonly kind: string;
  readonly who: string;
  /** The request or grant that it is about. */
  readonly about: string;
}

export interface Recorded {
  readonly grants: readonly Grant[];
  /** Newest last. */
  readonly trail: readonly TrailLine[];
  readonly events: number;
  /** What the page says to try first: asked as Ana, approved, gone again, and told in the digest. */
  readonly tried: {
    readonly asked: boolean;
    readonly approved: boolean;
    readonly gone: boolean;
    readonly told: boolean;
  };
}

export interface RecordReader {
  read(): Promise<Recorded>;
  close(): Promise<void>;
}

const TRAIL_SHOWN = 60;
const PAGE = 500;
const LISTED = 200;

/** Reads beside the running bot, and goes on reading when that is killed. Opened after the bot's migrations. */
export async function openRecordReader(databaseUrl: string): Promise<RecordReader> {
  const onlyReads = () => {
    throw new Error('the page only reads');
  };
  const store = await openStore({ url: databaseUrl, now: Date.now, hash: onlyReads, salt: onlyReads });
  const trail: TrailLine[] = [];
  let seen = 0;
  const tried = { asked: false, approved: false, gone: false, told: false };

  async function catchUp(): Promise<void> {
    for (;;) {
      const links = await store.chain(seen, PAGE);
      for (const link of links) {
        const event = JSON.parse(link.canonical) as Told;
        trail.push(lineOf(link.seq, event));
        const byAna = event.actor.kind === 'person' && event.actor.id === `okta/${PEOPLE.ana.okta}`;
        tried.asked ||= byAna && event.kind === 'request.made';
        tried.approved ||= event.kind === 'request.approved';
        tried.gone ||= event.kind === 'grant.ended';
        tried.told ||= tried.gone && event.kind === 'digest.posted';
        seen = link.seq;
      }
      trail.splice(0, trail.length - TRAIL_SHOWN);
      if (links.length < PAGE) return;
    }
  }

  return {
    async read() {
      await catchUp();
      const live = await store.list({ liveGrants: true, limit: LISTED });
      const grants = live.flatMap(({ grant }) => (grant === undefined || grant.state === 'ended' ? [] : [grant]));
      return { grants, trail: [...trail], events: seen, tried: { ...tried } };
    },
    close: () => store.close(),
  };
}

/** The part of an event's canonical text that the page shows. Names are only digests there; ids tell who it was. */
interface Told {
  readonly at: Instant;
  readonly kind: string;
  readonly actor: Actor;
  readonly requestId?: RequestId;
  readonly grantId?: GrantId;
}

function lineOf(seq: number, event: Told): TrailLine {
  return { seq, at: event.at, kind: event.kind, who: who(event.actor), about: event.grantId ?? event.requestId ?? '' };
}

function who(actor: Actor): string {
  switch (actor.kind) {
    case 'person':
      return personName(actor.id) ?? actor.id;
    case 'account':
      return Object.values(PEOPLE).find(({ slack }) => slack === actor.account.id)?.name ?? actor.account.id;
    case 'operator':
      return 'the host';
    case 'hallpass':
      return 'Hallpass';
    default: {
      const never: never = actor;
      return never;
    }
  }
}

function personName(id: string): string | undefined {
  return Object.values(PEOPLE).find(({ okta }) => id === `okta/${okta}`)?.name;
}
