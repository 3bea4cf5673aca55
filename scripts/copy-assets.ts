/** What is shipped as it stands: the sandbox's static files, beside the code that serves them. */
import { cp } from 'node:fs/promises';

const from = new URL('../src/sandbox/page/', import.meta.url);
const to = new URL('../dist/sandbox/page/', import.meta.url);
await cp(from, to, { recursive: true, filter: (path) => !path.endsWith('.json') });
