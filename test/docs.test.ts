/** What the documents tell people to type is typed here, and what they show as configuration is read. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { keysAt } from '../src/config-schema.ts';

const ROOT = join(import.meta.dirname, '..');

interface Page {
  readonly name: string;
  readonly text: string;
}

const names = ['README.md', 'CONTRIBUTING.md', ...(await readdir(join(ROOT, 'docs'))).map((name) => `docs/${name}`)];
const PAGES: readonly Page[] = await Promise.all(
  names
    .filter((name) => name.endsWith('.md'))
    .map(async (name) => ({ name, text: await readFile(join(ROOT, name), 'utf8') })),
);

function fenced(text: string, language: string): readonly string[] {
  const found = text.matchAll(new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, 'gm'));
  return [...found].map((match) => match[1] ?? '');
}

const COMMANDS = PAGES.flatMap(({ name, text }) =>
  fenced(text, 'sh').flatMap((block) =>
    block
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map((line) => ({ page: name, line })),
  ),
);

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** In an empty folder, with nothing of this machine's environment but PATH and HOME. */
function runIn(
  folder: string,
  command: string,
  args: readonly string[],
  cwd = folder,
  env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    HALLPASS_CONFIG: join(folder, 'hallpass.yaml'),
  },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('commands shown in the documents', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hallpass-docs-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are found', () => {
    expect(COMMANDS.length).toBeGreaterThan(8);
  });

  it('begin with the three that need nothing but a checkout', () => {
    expect(COMMANDS.slice(0, 3).map(({ line }) => line)).toEqual([
      'npm ci && npm run sandbox',
      'npm ci && npm run sandbox -- --tour',
      'npm ci && npm test',
    ]);
  });

  it('include the tour, which ends well when typed as shown', { timeout: 60_000 }, async () => {
    const { code, stdout } = await runIn(folder, 'npm', ['run', '--silent', 'sandbox', '--', '--tour'], ROOT);
    expect(stdout).toContain('ended as they should');
    expect(stdout).not.toContain('✗');
    expect(code).toBe(0);
  });

  it('name scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    const named = COMMANDS.flatMap(({ line }) =>
      [...line.matchAll(/npm run ([a-z-]+)/g)].map((match) => match[1] ?? ''),
    );
    expect(named.length).toBeGreaterThan(1);
    for (const script of named) expect(Object.keys(scripts)).toContain(script);
  });

  const cli = COMMANDS.filter(({ line }) => line.startsWith('npx node src/cli.ts '));
  it.each(cli)('$page: $line is understood', { timeout: 30_000 }, async ({ line }) => {
    const words = [...line.replace(/ >.*$/, '').matchAll(/'([^']*)'|(\S+)/g)]
      .map((word) => word[1] ?? word[2] ?? '')
      .slice(3);
    await rm(join(folder, 'hallpass.yaml'), { force: true });
    const { code, stdout, stderr } = await runIn(folder, process.execPath, [join(ROOT, 'src/cli.ts'), ...words]);
    // 2 is "called wrongly". Without a configuration most refuse, and say so; the others do what they say.
    expect(stderr).toBe('');
    const needsNothing = ['schema', 'manifest', 'sandbox'].includes(words[0] ?? '');
    expect(code).toBe(needsNothing ? 0 : 1);
    if (!needsNothing) expect(stdout).toContain('hallpass.yaml cannot be read');
  });
});

describe('commands of the command line as a client', () => {
  const lines = PAGES.flatMap(({ text }) =>
    fenced(text, 'console').flatMap((block) => block.trim().split('\n')),
  ).filter((line) => line.startsWith('hallpass ') && !line.startsWith('hallpass login'));

  it('are understood, and say that no Hallpass is named', { timeout: 60_000 }, async () => {
    expect(lines.length).toBeGreaterThan(3);
    const folder = await mkdtemp(join(tmpdir(), 'hallpass-docs-'));
    const env = { PATH: process.env.PATH, HOME: folder };
    for (const line of lines) {
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((word) => word[1] ?? word[2] ?? '').slice(1);
      const ran = await runIn(folder, process.execPath, [join(ROOT, 'src/cli.ts'), ...words], folder, env);
      expect([line, ran.code]).toEqual([line, 1]);
      // Those that the host has too are carried out there, where there is no file.
      expect(`${ran.stdout}${ran.stderr}`, line).toMatch(/No Hallpass is named|hallpass\.yaml cannot be read/);
    }
    await rm(folder, { recursive: true, force: true });
  });
});

describe('configuration shown in the documents', () => {
  const examples = PAGES.flatMap(({ name, text }) => fenced(text, 'yaml').map((yaml) => ({ name, yaml })));
  const env = {
    OKTA_TOKEN: 'token',
    LDAP_PASSWORD: 'password',
    SLACK_BOT_TOKEN: 'xoxb-token',
    SLACK_SIGNING_SECRET: 'secret',
  };

  it('is found', () => {
    expect(examples.length).toBeGreaterThan(1);
  });

  it('is accepted as a whole file', () => {
    const whole = examples.filter(({ yaml }) => yaml.includes('directories:') && yaml.includes('resources:'));
    expect(whole.length).toBeGreaterThan(0);
    for (const { yaml } of whole) {
      const loaded = loadConfig({ env, readFile: () => yaml });
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    }
  });

  it('of the trail and of webhooks is accepted beside the rest', () => {
    const whole = examples.find(({ yaml }) => yaml.includes('resources:'))?.yaml ?? '';
    const parts = examples.filter(({ yaml }) => /^(?:audit|webhooks):/.test(yaml));
    expect(parts.length).toBeGreaterThan(0);
    for (const { yaml } of parts) {
      const readFile = () => `${whole}\n${yaml}`;
      const tokens = {
        NOTARY_TOKEN: 'token',
        ANCHOR_SECRET: 'secret',
        CHATOPS_WEBHOOK_SECRET: `whsec_${'a'.repeat(44)}`,
      };
      const loaded = loadConfig({ env: { ...env, ...tokens }, readFile });
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    }
  });

  it('of the sign-in is accepted beside the rest', () => {
    const whole = examples.find(({ yaml }) => yaml.includes('resources:'))?.yaml ?? '';
    const parts = examples.filter(({ yaml }) => yaml.startsWith('stepUp:'));
    expect(parts.length).toBeGreaterThan(0);
    const signs = { ...env, OIDC_SECRET: 'secret', HALLPASS_BASE_URL: 'https://hallpass.acme.com' };
    for (const { yaml } of parts) {
      const loaded = loadConfig({ env: signs, readFile: () => `${whole}\n${yaml}` });
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    }
  });

  it('of pipelines is accepted beside the rest', () => {
    const whole = examples.find(({ yaml }) => yaml.includes('resources:'))?.yaml ?? '';
    const parts = examples.filter(({ yaml }) => yaml.startsWith('workloads:'));
    expect(parts.length).toBeGreaterThan(0);
    for (const { yaml } of parts) {
      const loaded = loadConfig({ env, readFile: () => `${whole}\n${yaml}` });
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    }
  });

  it('is accepted as a part of one', () => {
    const whole = examples.find(({ yaml }) => yaml.includes('resources:'))?.yaml ?? '';
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const google = JSON.stringify({ type: 'service_account', client_email: 'a@b.example', private_key: key });
    const files: Readonly<Record<string, string>> = { pem: key, json: google };
    for (const { yaml } of examples.filter((example) => example.yaml.startsWith('directories:'))) {
      const text = whole.replace(/^directories:\n(?: .*\n)+/m, yaml.endsWith('\n') ? yaml : `${yaml}\n`);
      const loaded = loadConfig({ env, readFile: (path) => files[path.split('.').at(-1) ?? ''] ?? text });
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    }
  });
});

describe('activity and rules shown in the documents', () => {
  const page = PAGES.find(({ name }) => name === 'docs/detections.md')?.text ?? '';
  const examples = fenced(page, 'yaml');
  const part = (key: string) => examples.find((yaml) => yaml.startsWith(`${key}:`)) ?? '';

  it('are accepted, with every key that they can have', () => {
    const rest = `identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: token } }
chat:
  slack: { approvals: C0APPROVALS }
policies:
  standard: { requesters: [ everyone ], approvers: [ group:okta/leads ] }
`;
    const rule = part('id');
    const text = `${rest}${part('activity').replace('findings: {', 'findings: { folder: rules,')}${part('resources')}`;
    const loaded = loadConfig({
      env: { SLACK_BOT_TOKEN: 'xoxb-token', SLACK_SIGNING_SECRET: 'secret', BASTION_SECRET: 'long enough to be one' },
      readFile: (path) => (path.endsWith('rule.yaml') ? rule : text),
      listFolder: () => ['rule.yaml'],
    });
    expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    if (!loaded.ok) return;
    expect(loaded.settings.detections.at(-1)?.id).toBe('late-delete');
    for (const { id, level } of loaded.settings.detections.filter(({ ours }) => ours))
      expect(page, id).toContain(`| \`${id}\` | ${level} |`);
  });
});

describe('policies shown in the documents', () => {
  const page = PAGES.find(({ name }) => name === 'docs/policies.md')?.text ?? '';
  const examples = fenced(page, 'yaml').filter((yaml) => yaml.startsWith('policies:'));
  const rest = `identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: token } }
chat:
  slack: { approvals: C0APPROVALS }
onCall:
  dba: { type: static, people: [ ben@acme.com, cat@acme.com ] }
stepUp: { type: okta, issuer: https://acme.okta.com, clientId: 0oa1, clientSecret: "${'${OIDC_SECRET}'}" }
`;
  /** Each policy of the example guards a role. What else the example gives (`resources:`) stays as it is written. */
  const whole = (yaml: string) => {
    const names = [...yaml.matchAll(/^ {2}([a-z][\w-]*):/gm)].map((match) => match[1] ?? '');
    const roles = names.map(
      (name) => `      ${name}: { grants: [ { directory: okta, group: g-${name} } ], policy: ${name} }`,
    );
    const resources = `resources:\n  db-prod:\n    roles:\n${roles.join('\n')}\n    defaultRole: ${names[0] ?? ''}\n`;
    return `${rest}${yaml.includes('resources:') ? '' : resources}${yaml}`;
  };

  it('are accepted', () => {
    expect(examples.length).toBeGreaterThan(5);
    const env = {
      SLACK_BOT_TOKEN: 'xoxb-token',
      SLACK_SIGNING_SECRET: 'secret',
      PAGERDUTY_TOKEN: 'token',
      OIDC_SECRET: 'secret',
      HALLPASS_BASE_URL: 'https://hallpass.acme.com',
    };
    for (const yaml of examples) {
      const loaded = loadConfig({ env, readFile: () => whole(yaml) });
      expect(loaded.ok ? [] : loaded.problems, yaml).toEqual([]);
    }
  });

  it('show every key that a policy can have', () => {
    for (const key of keysAt(['policies', 'any'])) expect(examples.join('\n'), key).toMatch(new RegExp(`\\b${key}:`));
  });
});

describe('on-call sources shown in the documents', () => {
  const page = PAGES.find(({ name }) => name === 'docs/on-call.md')?.text ?? '';
  const examples = fenced(page, 'yaml');

  it('are accepted', () => {
    expect(examples.length).toBeGreaterThan(4);
    const whole = PAGES.flatMap(({ text }) => fenced(text, 'yaml')).find((yaml) => yaml.includes('resources:')) ?? '';
    const env = {
      OKTA_TOKEN: 'token',
      PAGERDUTY_TOKEN: 'token',
      INCIDENT_IO_TOKEN: 'token',
      SLACK_BOT_TOKEN: 'xoxb-token',
      SLACK_SIGNING_SECRET: 'secret',
    };
    for (const yaml of examples) {
      const text = yaml.startsWith('onCall:') ? whole.replace(/^onCall:\n(?: .*\n)+/m, yaml) : `${whole}${yaml}`;
      expect(text).toContain(yaml);
      const loaded = loadConfig({
        env,
        readFile: (path) => (path.endsWith('.json') ? '{"type":"service_account"}' : text),
      });
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
    }
  });
});

describe('links between the documents', () => {
  it('lead to files that are there', async () => {
    const missing: string[] = [];
    for (const { name, text } of PAGES)
      for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        const path = join(ROOT, name, '..', target ?? '');
        const found = await readFile(path).then(
          () => true,
          (error: NodeJS.ErrnoException) => error.code === 'EISDIR',
        );
        if (!found) missing.push(`${name}: ${target}`);
      }
    expect(missing).toEqual([]);
  });
});
