/** What people are to prove, and what became of it. */
import { and, desc, eq, inArray, sql } from 'drizzle-orm';
import { columns, columnsBeside, type Prepare, value } from './prepare.ts';
import type { Tables } from './schema.ts';
import type { Database } from './session.ts';

export function proofStatements(db: Database, { proofs }: Tables, prepare: Prepare) {
  return {
    proof: prepare(
      'proof',
      db
        .select()
        .from(proofs)
        .where(eq(proofs.id, value('id'))),
    ),
    openProofs: prepare(
      'open_proofs',
      db
        .select()
        .from(proofs)
        .where(and(eq(proofs.person, value('person')), inArray(proofs.state, ['open', 'signed_in'])))
        .orderBy(desc(proofs.createdAt), desc(proofs.id))
        .limit(sql.placeholder('limit')),
    ),
    insertProof: prepare(
      'insert_proof',
      db.insert(proofs).values(columns(proofs)).onConflictDoNothing().returning({ id: proofs.id }),
    ),
    updateProof: prepare(
      'update_proof',
      db
        .update(proofs)
        .set(columnsBeside(proofs, 'id'))
        .where(and(eq(proofs.id, value('id')), eq(proofs.version, value('was'))))
        .returning({ id: proofs.id }),
    ),
  };
}
