/**
 * Signing a command line in (RFC 8628): it shows a code, a person who is signed in compares it and says yes or no, and
 * the device fetches its session once.
 */
import { beginSession } from './decide-session.ts';
import { event, personActor } from './decision.ts';
import type { Change, Device, Instant, Person, Session } from './model.ts';

export const DEVICE_WAITS_MS = 600_000;
/** A working day: whoever signs in with a second factor each morning does so here, too. */
export const CLI_SESSION_MS = 12 * 3_600_000;

export type DeviceFault = 'unknown_code' | 'code_over' | 'answered_already' | 'not_signed_in';

export function waits(device: Device, now: Instant): boolean {
  return device.state === 'waiting' && now < device.expiresAt;
}

/** `session`: the browser's, by which the person is here; only that one counts as being there in person. */
export function answerDevice(
  device: Device | undefined,
  by: { readonly person: Person; readonly session?: Session },
  answer: 'confirm' | 'deny',
  now: Instant,
): { readonly changes: readonly Change[] } | { readonly fault: DeviceFault } {
  const { person, session } = by;
  if (person.via?.kind !== 'web' || session?.kind !== 'web') return { fault: 'not_signed_in' };
  if (device === undefined) return { fault: 'unknown_code' };
  if (device.state !== 'waiting') return { fault: 'answered_already' };
  if (now >= device.expiresAt) return { fault: 'code_over' };
  const { signedInAt, acr, amr } = session;
  const row: Device = {
    ...device,
    version: device.version + 1,
    state: answer === 'confirm' ? 'confirmed' : 'denied',
    person: person.id,
    personName: person.name,
    ...(signedInAt === undefined ? {} : { signedInAt }),
    ...(acr === undefined ? {} : { acr }),
    ...(amr === undefined ? {} : { amr }),
  };
  return {
    changes: [
      { put: 'device', row, was: device.version },
      event(answer === 'confirm' ? 'device.confirmed' : 'device.denied', now, personActor(person), {
        detail: { device: device.id.slice(0, 16), from: device.from },
        personal: { label: device.label },
      }),
    ],
  };
}

/** What the device may have, once its person has confirmed it. */
export function redeemDevice(
  device: Device,
  fresh: { readonly sessionId: string; readonly secretHash: string },
  now: Instant,
): { readonly session: Session; readonly changes: readonly Change[] } | undefined {
  const { person, personName, label, signedInAt, acr, amr } = device;
  if (device.state !== 'confirmed' || person === undefined || personName === undefined) return undefined;
  if (now >= device.expiresAt) return undefined;
  const session: Session = {
    id: fresh.sessionId,
    version: 1,
    kind: 'cli',
    secretHash: fresh.secretHash,
    person,
    personName,
    label,
    scopes: [],
    ...(signedInAt === undefined ? {} : { signedInAt }),
    ...(acr === undefined ? {} : { acr }),
    ...(amr === undefined ? {} : { amr }),
    createdAt: now,
    createdBy: personName,
    expiresAt: now + CLI_SESSION_MS,
  };
  const actor = personActor({ id: person, name: personName, via: { kind: 'cli', session: session.id } });
  return {
    session,
    changes: [
      { put: 'device', row: { ...device, version: device.version + 1, state: 'done' }, was: device.version },
      ...beginSession(session, actor, now),
    ],
  };
}
