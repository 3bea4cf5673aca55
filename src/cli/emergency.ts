/** `hallpass freeze` and `hallpass unfreeze`: the commands of an emergency from the host, for when chat is down. */
import type { Command, Refusal } from '../access/command.ts';
import { cleanReason, parseAim } from '../access/grammar.ts';
import { createHandler } from '../access/handle.ts';
import { answerText, refusalText } from '../access/words.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { hostPeople, opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

/** How the host is told to type. */
const WORD = 'hallpass';

interface Order {
  readonly scope: string;
  readonly by: { readonly operator: string };
}

export async function freezeCommand(
  io: Out,
  settings: Settings,
  order: Order & { readonly reason: string },
): Promise<number> {
  const aim = parseAim(order.scope, undefined);
  if ('code' in aim) return sayRefused(io, settings, aim);
  // What is typed on the host is held to the same as what is typed in chat.
  const reason = cleanReason(order.reason);
  if (typeof reason !== 'string') return sayRefused(io, settings, reason);
  if (reason === '') return sayRefused(io, settings, { code: 'reason_missing', minLength: 1 });
  return await carry(io, settings, { do: 'freeze', by: order.by, aim, reason });
}

export async function unfreezeCommand(io: Out, settings: Settings, order: Order): Promise<number> {
  const aim = parseAim(order.scope, undefined);
  if ('code' in aim) return sayRefused(io, settings, aim);
  return await carry(io, settings, { do: 'unfreeze', by: order.by, aim });
}

async function carry(io: Out, settings: Settings, command: Command): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const people = hostPeople(settings, directories);
    const catalog = () => settings.catalog;
    const handler = createHandler({ store, people, directories, catalog, clock, ids: randomIds() });
    const answer = await handler.handle(command);
    if (answer.say === 'refused') return sayRefused(io, settings, answer.refusal);
    io.say({ ok: true, ...answer }, answerText(answer, WORD));
    return EXIT.done;
  } finally {
    await store.close();
  }
}

export function sayRefused(io: Out, settings: Settings, refusal: Refusal): number {
  const { reason, next } = refusalText(refusal, settings.catalog.timezone, WORD);
  io.say({ ok: false, refusal }, `${reason} ${next}`);
  return EXIT.failed;
}
