/** What is shipped as it stands: the static files of the console and of the sandbox, beside the code that serves them. */
import { cp } from 'node:fs/promises';

for (const folder of ['console/assets/', 'sandbox/page/']) {
  const from = new URL(`../src/${folder}`, import.meta.url);
  const to = new URL(`../dist/${folder}`, import.meta.url);
  await cp(from, to, { recursive: true, filter: (path) => !path.endsWith('.json') });
}
