/** The contract of a directory, kept by every adapter; the table at the end says what was shown of whom. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { library } from '../../src/directories/google-library.ts';
import { directoryContract } from '../contracts/directory.ts';
import { ContractTable } from '../contracts/directory-table.ts';
import { commandHarness } from './command-local.ts';
import { ADMIN, googleHarness } from './google-local.ts';
import { oktaHarness } from './okta-local.ts';

const table = new ContractTable();

// Not within a deadline of 150 ms: loading Google's client takes about that long.
beforeAll(async () => {
  await library();
});

directoryContract('Okta, token', oktaHarness('token'), table);
directoryContract('Okta, key', oktaHarness('rsa'), table);
directoryContract('Okta, DPoP', oktaHarness('dpop'), table);
directoryContract('Google', googleHarness({}), table);
directoryContract('Google, delegated', googleHarness({ subject: ADMIN, delegates: [ADMIN] }), table);
directoryContract('command', commandHarness, table);

test('every adapter has an answer to every case', () => {
  expect(table.empty()).toEqual([]);
});

afterAll(() => {
  process.stdout.write(`\n${table.text()}\n`);
});
