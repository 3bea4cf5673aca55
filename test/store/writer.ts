/** A process of its own that appends to the audit trail: `writer.ts <url> <commits>`. */
import { anEvent } from '../contracts/store-rows.ts';
import { openTestStore } from '../support/open-store.ts';

const [, , url, commits] = process.argv;
const store = await openTestStore(url ?? '');
for (let n = 0; n < Number(commits); n += 1) {
  await store.commit({ changes: [{ put: 'event', row: anEvent({ detail: { n, pid: process.pid } }) }] });
}
await store.close();
