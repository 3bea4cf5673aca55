/** What is installed: held to Microsoft's own schema, and to what the bot can do. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { parseCommand } from '../../src/access/grammar.ts';
import { teamsManifest, teamsPackage } from '../../src/chat/teams/manifest.ts';

const EXAMPLE = { appId: '00000000-0000-0000-0000-000000000000', baseUrl: 'https://hallpass.example.com' };
const FOLDER = new URL('../../manifests/teams/', import.meta.url);
const require = createRequire(import.meta.url);
const icon = async (name: string) => readFile(new URL(name, FOLDER));

async function problemsOf(manifest: unknown): Promise<unknown> {
  const Ajv = require('ajv-draft-04');
  const formats = require('ajv-formats');
  const schema = require('@microsoft/app-manifest/build/json-schemas/teams/v1.29/MicrosoftTeams.schema.json');
  const ajv = new (Ajv.default ?? Ajv)({ strict: false, allErrors: true });
  (formats.default ?? formats)(ajv);
  const validate = ajv.compile(schema);
  return validate(manifest) ? [] : validate.errors;
}

describe('the manifest', () => {
  it('is one that Microsoft’s schema takes', async () => {
    expect(await problemsOf(teamsManifest(EXAMPLE))).toEqual([]);
    expect(await problemsOf({ ...teamsManifest(EXAMPLE), bots: [{ botId: 'x' }] })).not.toEqual([]);
  });

  it('is the one in the repository, but for the ids and the address', async () => {
    expect(JSON.parse(await readFile(new URL('manifest.json', FOLDER), 'utf8'))).toEqual(teamsManifest(EXAMPLE));
  });

  it('offers commands that there are', () => {
    const by = { platform: 'teams', tenant: 't', id: 'i' } as const;
    for (const { commands } of teamsManifest(EXAMPLE).bots[0]?.commandLists ?? []) {
      expect(commands.length).toBeLessThanOrEqual(12);
      for (const { title } of commands)
        if (title !== 'home') expect(JSON.stringify(parseCommand(title, by))).not.toContain('unknown_command');
    }
  });

  it('asks for nothing but to be spoken to', () => {
    const manifest: object = teamsManifest(EXAMPLE);
    expect(manifest).not.toHaveProperty('authorization');
    expect(manifest).not.toHaveProperty('webApplicationInfo');
    expect(manifest).not.toHaveProperty('validDomains');
  });
});

describe('the package', () => {
  it('is a zip of the manifest with the bot’s own ids, and two icons of the sizes that Teams wants', async () => {
    const icons = { color: await icon('color.png'), outline: await icon('outline.png') };
    const files = unzipSync(teamsPackage({ ...EXAMPLE, appId: '5a5a5a5a-0000-4000-8000-00000000000b' }, icons));
    expect(Object.keys(files).sort()).toEqual(['color.png', 'manifest.json', 'outline.png']);
    const manifest = JSON.parse(Buffer.from(files['manifest.json'] ?? []).toString());
    expect(manifest).toMatchObject({
      id: '5a5a5a5a-0000-4000-8000-00000000000b',
      bots: [{ botId: '5a5a5a5a-0000-4000-8000-00000000000b' }],
    });
    const size = (png: Uint8Array) => [Buffer.from(png).readUInt32BE(16), Buffer.from(png).readUInt32BE(20)];
    expect(size(icons.color)).toEqual([192, 192]);
    expect(size(icons.outline)).toEqual([32, 32]);
  });
});
