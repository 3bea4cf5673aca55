/**
 * A real browser for the tests: the Chrome or Chromium that is installed, else the one that comes with the checkout
 * (`@sparticuz/chromium`, Linux on x64). When none can be started that is a failure, with what was tried.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

const INSTALLED = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Runs as root, in a container, without asking anybody on the network for anything. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function startBrowser(): Promise<Browser> {
  const failures: string[] = [];
  for (const executablePath of INSTALLED.filter((path) => existsSync(path))) {
    try {
      return await chromium.launch({ executablePath, args: FLAGS });
    } catch (error) {
      failures.push(`${executablePath}: ${firstLine(error)}`);
    }
  }
  try {
    const { executablePath, env } = await bundled();
    return await chromium.launch({ executablePath, env, args: [...FLAGS, '--no-zygote'] });
  } catch (error) {
    failures.push(`@sparticuz/chromium: ${firstLine(error)}`);
  }
  throw new Error(
    `These tests need a browser, and none could be started. Install Chrome or Chromium, or run them on Linux on x64.\n${failures.join('\n')}`,
  );
}

/** Unpacked once, beside the packages; with the libraries it needs, which a bare machine may not have. */
async function bundled(): Promise<{ executablePath: string; env: Record<string, string> }> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`has no browser for ${process.platform} on ${process.arch}`);
  const home = new URL('../', import.meta.resolve('@sparticuz/chromium'));
  const { version } = JSON.parse(await readFile(new URL('package.json', home), 'utf8')) as { version: string };
  const cache = join(import.meta.dirname, '../../node_modules/.cache');
  const folder = join(cache, `chromium-${version}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const making = await mkdtemp(join(cache, 'chromium-'));
    await unpack(fileURLToPath(new URL('bin/', home)), making);
    // Only a whole one gets the name; another process may have been faster.
    await rename(making, folder).catch(() => rm(making, { recursive: true, force: true }));
  }
  return {
    executablePath: join(folder, 'chromium'),
    env: {
      ...Object.fromEntries(
        Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
      LD_LIBRARY_PATH: join(folder, 'al2023/lib'),
      ...(existsSync('/etc/fonts/fonts.conf') ? {} : { FONTCONFIG_PATH: join(folder, 'fonts') }),
    },
  };
}

async function unpack(from: string, to: string): Promise<void> {
  const { inflate } = await import('@sparticuz/chromium');
  const temporary = process.env.TMPDIR;
  // The package unpacks into the temporary folder and nowhere else; it looks where that is when it is called.
  process.env.TMPDIR = to;
  const unpacking = ['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br'].map((name) =>
    inflate(join(from, name)),
  );
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
  await Promise.all(unpacking);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
