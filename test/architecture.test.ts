/** The dependency rule of ARCHITECTURE.md, held by reading the import lines. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '../src');

interface Import {
  readonly file: string;
  /** A path inside `src/`, or a package's name. */
  readonly what: string;
  readonly inside: boolean;
}

const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();

const IMPORTS: readonly Import[] = FILES.flatMap((file) => {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found = text.matchAll(
    /^(?:import|export)\b[^;]*?\bfrom\s+'([^']+)'|\bimport\(\s*'([^']+)'|^import\s+'([^']+)'/gms,
  );
  return [...found].map((match) => {
    const said = match[1] ?? match[2] ?? match[3] ?? '';
    const inside = said.startsWith('.');
    return { file, inside, what: inside ? relative(SRC, join(SRC, file, '..', said)) : packageOf(said) };
  });
});

function packageOf(said: string): string {
  if (said.startsWith('node:')) return said;
  const parts = said.split('/');
  return said.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

/** The room a file of `src/` belongs to; a file at the top is a room of its own. */
function room(file: string): string {
  const parts = file.split('/');
  if (parts.length === 1) return `${parts[0]}`;
  return parts[0] === 'chat' ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

/** Besides `access/` and itself, what a room may import from `src/`. Rooms that are not named here: nothing. */
const MAY_IMPORT: Readonly<Record<string, readonly RegExp[]>> = {
  // The composition root, the command line and the sandbox put the rooms together.
  'main.ts': [/.*/],
  main: [/.*/],
  'cli.ts': [/.*/],
  cli: [/.*/],
  sandbox: [/.*/],
  // The settings as they hold, for whoever is built from them.
  'reload.ts': [/^config\.ts$/, /^log\.ts$/],
  // The schema of each adapter's own section, and nothing else of it.
  'config.ts': [
    /^config-/,
    /^activity\/section\.ts$/,
    /^api\/webhooks-section\.ts$/,
    /^audit\/section\.ts$/,
    /^conditions\/cel\.ts$/,
    /^directories\/\w+-section\.ts$/,
    /^people\/(sources|incidents|workload-section)\.ts$/,
  ],
  'config-schema.ts': [
    /^config-/,
    /^chat\/teams\/section\.ts$/,
    /^activity\/section\.ts$/,
    /^api\/webhooks-section\.ts$/,
    /^audit\/section\.ts$/,
    /^directories\/\w+-section\.ts$/,
    /^people\/(step-up|workload)-section\.ts$/,
    /^people\/(static|slack-user-group|pagerduty(-incidents)?|google-calendar|incident-io(-incidents)?)\.ts$/,
  ],
  'config-activity.ts': [/^config-/, /^activity\/section\.ts$/],
  'config-checks.ts': [/^config-/],
  'config-detections.ts': [/^config-/],
  'config-policy.ts': [/^config-/],
  'config-report.ts': [/^config-/],
  'config-tests.ts': [/^config-/],
  'config-env.ts': [/^config-/],
  'config-named.ts': [/^config-/],
  'config-positions.ts': [/^config-/],
  'config-stages.ts': [/^config-/],
  'config-step-up.ts': [/^config-/, /^people\/step-up-section\.ts$/],
};

/** The code without its comments. */
function code(file: string): string {
  return readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}

/** Where a package may be imported. Those that are not named here: nowhere. */
const HOMES: Readonly<Record<string, RegExp>> = {
  aws4fetch: /^audit\/bucket\.ts$/,
  '@bufbuild/cel': /^conditions\//,
  '@hono/zod-openapi': /^api\//,
  '@slack/bolt': /^chat\/slack\//,
  '@slack/types': /^chat\/slack\//,
  'better-sqlite3': /^store\//,
  botbuilder: /^chat\/teams\/app\.ts$/,
  canonicalize: /^(audit\/|store\/|config)/,
  commander: /^cli(\.ts|\/client\/program\.ts)$/,
  'd3-scale': /^console\//,
  'd3-shape': /^console\//,
  'drizzle-orm': /^store\//,
  googleapis: /^(directories\/google|people\/google-calendar\.ts$)/,
  hono: /^(api|console|proof)\//,
  fflate: /^chat\/teams\/manifest\.ts$/,
  jose: /^(directories\/|people\/|sandbox\/(okta|google))/,
  'node-cron': /^workers\//,
  'oidc-provider': /^sandbox\/issuer\.ts$/,
  'openid-client': /^people\/oidc\.ts$/,
  pg: /^store\//,
  pino: /^log\.ts$/,
  'prom-client': /^metrics\.ts$/,
  yaml: /^(config|chat\/slack\/manifest\.ts|sandbox\/playground\.ts)/,
  zod: /^(config|activity\/|api\/|audit\/|directories\/|people\/|proof\/|chat\/)/,
};

describe('the rooms', () => {
  it('are found at all', () => {
    expect(FILES.length).toBeGreaterThan(40);
    expect(IMPORTS.length).toBeGreaterThan(150);
  });

  it('import only access/ and themselves, but for those that put rooms together', () => {
    const wrong = IMPORTS.filter(({ file, what, inside }) => {
      if (!inside || room(what) === room(file)) return false;
      if (room(file) !== 'access' && room(what) === 'access') return false;
      return !(MAY_IMPORT[room(file)] ?? []).some((allowed) => allowed.test(what));
    });
    expect(wrong).toEqual([]);
  });

  it('keep each package in its home', () => {
    const wrong = IMPORTS.filter(
      ({ file, what, inside }) => !inside && !what.startsWith('node:') && !(HOMES[what]?.test(file) ?? false),
    );
    expect(wrong).toEqual([]);
  });

  it('leave the environment to config.ts', () => {
    const readers = FILES.filter((file) => /process\.env\b/.test(readFileSync(join(SRC, file), 'utf8')));
    expect(readers).toEqual(['config.ts']);
  });
});

describe('the core', () => {
  const core = FILES.filter((file) => file.startsWith('access/'));

  it('imports nothing but itself, not even from Node', () => {
    expect(
      IMPORTS.filter(({ file, what, inside }) => core.includes(file) && !(inside && room(what) === 'access')),
    ).toEqual([]);
  });

  it('has no clock, no randomness and no environment of its own', () => {
    const forbidden =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\b|\bprocess\.|\bperformance\.|\bsetTimeout\(/;
    expect(core.filter((file) => forbidden.test(code(file)))).toEqual([]);
  });
});

describe('what has no place in the code', () => {
  it('is in none of it: switched-off checks, things left for later', () => {
    const forbidden = /@ts-(?:ignore|nocheck)|\bTODO\b|\bFIXME\b/;
    expect(FILES.filter((file) => forbidden.test(readFileSync(join(SRC, file), 'utf8')))).toEqual([]);
    expect(FILES.filter((file) => /\bas any\b|: any\b/.test(code(file)))).toEqual([]);
  });
});
