/** The facts behind signing a command line in. The web's page asks `look` and `answer`; the API the other two. */
import { answerDevice, DEVICE_WAITS_MS, type DeviceFault, redeemDevice, waits } from './decide-device.ts';
import { cleanName } from './grammar.ts';
import type { Device, Instant } from './model.ts';
import { type Clock, type Ids, type People, StaleStateError, type Store } from './ports.ts';
import { cut } from './words.ts';

export interface DeviceParts {
  readonly store: Pick<Store, 'commit' | 'device' | 'session'>;
  readonly people: Pick<People, 'identify'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly ids: Pick<Ids, 'opaque' | 'short' | 'hash'>;
}

export interface Devices {
  /** `from`: the address it asks from. */
  begin(label: string, from: string): Promise<DeviceCodes>;
  /** What waits under a code that somebody types; absent where nothing does. */
  look(typed: string): Promise<Device | undefined>;
  /** By a session of the web. Throws `PeopleError`. */
  answer(
    typed: string,
    by: { readonly session: string },
    answer: 'confirm' | 'deny',
  ): Promise<{ readonly device: Device } | { readonly fault: DeviceFault }>;
  /** Once: whoever asks again with the same code gets nothing. */
  redeem(
    deviceCode: string,
  ): Promise<
    | { readonly secret: string; readonly expiresAt: Instant; readonly personName: string }
    | { readonly is: 'waiting' | 'denied' | 'over' }
  >;
}

export interface DeviceCodes {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly expiresAt: Instant;
}

const LABEL_MAX = 80;
const ATTEMPTS_MAX = 3;

export function createDevices({ store, people, clock, ids }: DeviceParts): Devices {
  async function begin(label: string, from: string): Promise<DeviceCodes> {
    const deviceCode = `${ids.opaque()}${ids.opaque()}`;
    const createdAt = clock.now();
    const expiresAt = createdAt + DEVICE_WAITS_MS;
    for (let attempt = 1; ; attempt++) {
      const userCode = `${ids.short(0)}-${ids.short(0)}`;
      const row: Device = {
        id: ids.hash(deviceCode),
        version: 1,
        state: 'waiting',
        userCode,
        label: cut(cleanName(label), LABEL_MAX),
        from,
        createdAt,
        expiresAt,
      };
      try {
        await store.commit({ changes: [{ put: 'device', row }] });
        return { deviceCode, userCode, expiresAt };
      } catch (error) {
        // Two devices with the same code at the same time.
        if (!(error instanceof StaleStateError) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  async function found(typed: string): Promise<Device | undefined> {
    const letters = typed.toUpperCase().replaceAll(/[^0-9A-Z]/g, '');
    if (letters.length !== 8) return undefined;
    return await store.device({ userCode: `${letters.slice(0, 4)}-${letters.slice(4)}` });
  }

  return {
    begin,
    async look(typed) {
      const device = await found(typed);
      return device !== undefined && waits(device, clock.now()) ? device : undefined;
    },
    async answer(typed, by, answer) {
      const [person, session, device] = await Promise.all([
        people.identify(by),
        store.session(by.session),
        found(typed),
      ]);
      const given = { person, ...(session === undefined ? {} : { session }) };
      const decided = answerDevice(device, given, answer, clock.now());
      if ('fault' in decided || device === undefined) return 'fault' in decided ? decided : { fault: 'unknown_code' };
      try {
        await store.commit({ changes: decided.changes });
        return { device };
      } catch (error) {
        if (!(error instanceof StaleStateError)) throw error;
        return { fault: 'answered_already' };
      }
    },
    async redeem(deviceCode) {
      const device = await store.device({ id: ids.hash(deviceCode) });
      const now = clock.now();
      if (device === undefined || device.state === 'done' || now >= device.expiresAt) return { is: 'over' };
      const secret = `hps_${ids.opaque()}${ids.opaque()}`;
      const redeemed = redeemDevice(device, { sessionId: `S-${ids.opaque()}`, secretHash: ids.hash(secret) }, now);
      if (redeemed === undefined) return { is: device.state === 'denied' ? 'denied' : 'waiting' };
      try {
        await store.commit({ changes: redeemed.changes });
        const { expiresAt, personName } = redeemed.session;
        return { secret, expiresAt, personName };
      } catch (error) {
        if (!(error instanceof StaleStateError)) throw error;
        return { is: 'over' };
      }
    },
  };
}
