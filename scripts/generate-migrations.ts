/**
 * `npm run migrations [-- --name=what-changed]`: what the schema says now and the newest migration does not, as a new
 * migration for each database. With `--custom --name=…`: an empty one, for what drizzle-kit has no words for.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const kit = fileURLToPath(new URL('../node_modules/drizzle-kit/bin.cjs', import.meta.url));
const dialects = [
  { name: 'sqlite', dialect: 'sqlite' },
  { name: 'postgres', dialect: 'postgresql' },
];

for (const { name, dialect } of dialects) {
  const schema = `src/store/schema.${name}.ts`;
  const options = [`--dialect=${dialect}`, `--schema=${schema}`, `--out=migrations/${name}`];
  execFileSync(process.execPath, [kit, 'generate', ...options, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
}
