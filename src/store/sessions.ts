/** Credentials that we gave out, by the hash of their secret, and the devices that ask for one. */
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { columns, columnsBeside, type Prepare, value } from './prepare.ts';
import type { Tables } from './schema.ts';
import type { Database } from './session.ts';

export function sessionStatements(db: Database, { sessions, devices }: Tables, prepare: Prepare) {
  const found = () => db.select().from(sessions);
  const newestFirst = [desc(sessions.createdAt), desc(sessions.id)];
  const limit = sql.placeholder('limit');
  return {
    session: prepare('session', found().where(eq(sessions.id, value('id')))),
    sessionBySecret: prepare('session_by_secret', found().where(eq(sessions.secretHash, value('secretHash')))),
    sessions: prepare(
      'sessions',
      found()
        .orderBy(...newestFirst)
        .limit(limit),
    ),
    sessionsOf: prepare(
      'sessions_of',
      found()
        .where(eq(sessions.kind, value('kind')))
        .orderBy(...newestFirst)
        .limit(limit),
    ),
    insertSession: prepare(
      'insert_session',
      db.insert(sessions).values(columns(sessions)).onConflictDoNothing().returning({ id: sessions.id }),
    ),
    updateSession: prepare(
      'update_session',
      db
        .update(sessions)
        .set(columnsBeside(sessions, 'id', 'lastUsedAt'))
        .where(and(eq(sessions.id, value('id')), eq(sessions.version, value('was'))))
        .returning({ id: sessions.id }),
    ),
    // Once a minute at most: each request would be a write else.
    sessionUsed: prepare(
      'session_used',
      db
        .update(sessions)
        .set({ lastUsedAt: value('at') })
        .where(and(eq(sessions.id, value('id')), lt(sql`coalesce(${sessions.lastUsedAt}, 0)`, value('before'))))
        .returning({ id: sessions.id }),
    ),

    device: prepare(
      'device',
      db
        .select()
        .from(devices)
        .where(eq(devices.id, value('id'))),
    ),
    deviceByCode: prepare(
      'device_by_code',
      db
        .select()
        .from(devices)
        .where(eq(devices.userCode, value('userCode'))),
    ),
    insertDevice: prepare(
      'insert_device',
      db.insert(devices).values(columns(devices)).onConflictDoNothing().returning({ id: devices.id }),
    ),
    updateDevice: prepare(
      'update_device',
      db
        .update(devices)
        .set(columnsBeside(devices, 'id'))
        .where(and(eq(devices.id, value('id')), eq(devices.version, value('was'))))
        .returning({ id: devices.id }),
    ),
    forgetDevices: prepare(
      'forget_devices',
      db
        .delete(devices)
        .where(lt(devices.expiresAt, value('before')))
        .returning({ id: devices.id }),
    ),
  };
}
