/** What was answered to calls that may come again. */
import { eq, lt } from 'drizzle-orm';
import type { AnswerStore } from '../access/ports.ts';
import { columns, columnsBeside, type Prepare, value, valuesFor } from './prepare.ts';
import { toKeptAnswer } from './rows.ts';
import type { Tables } from './schema.ts';
import { type Database, type Driver, run } from './session.ts';

export function answerStatements(db: Database, { keptAnswers }: Tables, prepare: Prepare) {
  return {
    keptAnswer: prepare(
      'kept_answer',
      db
        .select()
        .from(keptAnswers)
        .where(eq(keptAnswers.key, value('key'))),
    ),
    keepAnswer: prepare(
      'keep_answer',
      db
        .insert(keptAnswers)
        .values(columns(keptAnswers))
        .onConflictDoUpdate({ target: keptAnswers.key, set: columnsBeside(keptAnswers, 'key') })
        .returning({ key: keptAnswers.key }),
    ),
    forgetAnswers: prepare(
      'forget_answers',
      db
        .delete(keptAnswers)
        .where(lt(keptAnswers.at, value('before')))
        .returning({ key: keptAnswers.key }),
    ),
  };
}

export function answersOn({ each, writeOne }: Driver, tables: Tables): AnswerStore {
  return {
    async keptAnswer(key) {
      const [row] = await each(run((s) => s.statements.keptAnswer({ key })));
      return row && toKeptAnswer(row);
    },
    async keepAnswer(answer) {
      await writeOne(() => run((s) => s.statements.keepAnswer(valuesFor(tables.keptAnswers, answer))));
    },
    async forgetAnswers(before) {
      return (await each(run((s) => s.statements.forgetAnswers({ before })))).length;
    },
  };
}
