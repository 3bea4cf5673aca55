/** An anchor in a bucket under Object Lock: signed as S3 wants it, locked for as long as was asked, the same page twice the same object. */
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createBucketOutlet } from '../../src/audit/bucket.ts';
import { auditSection } from '../../src/audit/section.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NOW = Date.UTC(2026, 2, 10, 9);
const PAGE = ['{"seq":1000,"hash":"ab"}', '{"seq":2000,"hash":"cd"}', ''].join('\n');

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

interface Put {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A small strict bucket: it works the signature out anew, and takes no object without a lock. */
let server: Server;
let puts: Put[];
let refuse: { readonly status: number; readonly body: string } | undefined;
beforeEach(async () => {
  puts = [];
  refuse = undefined;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const why = refuse?.body ?? wrong(request, body);
      if (why !== undefined) return response.writeHead(refuse?.status ?? 403).end(why);
      puts.push({ path: request.url ?? '', headers: request.headers, body: body.toString('utf8') });
      return response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

function wrong(request: IncomingMessage, body: Buffer): string | undefined {
  const { authorization = '' } = request.headers;
  const [, scope = '', names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=AKIA1\/(.+), ?SignedHeaders=(.+), ?Signature=([0-9a-f]{64})$/.exec(authorization) ??
    [];
  const signed = names.split(';');
  for (const name of [
    'host',
    'x-amz-content-sha256',
    'x-amz-date',
    'x-amz-object-lock-mode',
    'x-amz-object-lock-retain-until-date',
  ])
    if (!signed.includes(name)) return `<Error><Code>NotSigned</Code>${name}</Error>`;
  if (request.headers['x-amz-content-sha256'] !== sha256(body))
    return '<Error><Code>XAmzContentSHA256Mismatch</Code></Error>';
  const canonical = [
    request.method,
    request.url,
    '',
    ...signed.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    names,
    sha256(body),
  ].join('\n');
  const [day = '', region = '', service = ''] = scope.split('/');
  const date = String(request.headers['x-amz-date']);
  const key = hmac(hmac(hmac(hmac(`AWS4${SECRET}`, day), region), service), 'aws4_request');
  const expected = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
  return signature === expected && service === 's3' ? undefined : '<Error><Code>SignatureDoesNotMatch</Code></Error>';
}

const outlet = (more: { readonly secret?: string } = {}) => {
  const { port } = server.address() as AddressInfo;
  const read = auditSection.parse({
    anchors: {
      bucket: {
        type: 's3',
        bucket: 'acme-anchors',
        region: 'eu-central-1',
        endpoint: `http://127.0.0.1:${port}`,
        keyId: 'AKIA1',
        secret: SECRET,
        retainDays: 365,
        ...more,
      },
    },
  });
  const section = read.anchors?.bucket;
  if (section?.type !== 's3') throw new Error('it is no bucket');
  return createBucketOutlet(section, () => NOW);
};

it('puts a page where nobody can delete it before its time, in the order of the chain', async () => {
  await outlet().write(PAGE);
  await outlet().write(PAGE);
  const [first, again] = puts;
  expect(first?.path).toMatch(/^\/acme-anchors\/hallpass\/000000001000-000000002000-[0-9a-f]{16}\.jsonl$/);
  expect(again?.path).toBe(first?.path);
  expect(first?.body).toBe(PAGE);
  expect(first?.headers).toMatchObject({
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-object-lock-retain-until-date': '2027-03-10T09:00:00.000Z',
    'x-amz-checksum-sha256': createHash('sha256').update(PAGE).digest('base64'),
  });
});

it('that is not taken is said by its code alone, to be told again', async () => {
  await expect(outlet({ secret: 'another' }).write(PAGE)).rejects.toThrow('HTTP 403 (SignatureDoesNotMatch)');
  refuse = {
    status: 400,
    body: '<Error><Code>InvalidRequest</Code><Message>Bucket is missing Object Lock</Message></Error>',
  };
  await expect(outlet().write(PAGE)).rejects.toThrow(/^HTTP 400 \(InvalidRequest\)$/);
  refuse = { status: 307, body: '' };
  await expect(outlet().write(PAGE)).rejects.toThrow();
  expect(puts).toEqual([]);
});

it('is asked over http on this machine alone', () => {
  const bucket = { type: 's3', bucket: 'b-1', region: 'r1', keyId: 'k', secret: 's', retainDays: 1 };
  const read = (endpoint: string) => auditSection.safeParse({ anchors: { a: { ...bucket, endpoint } } }).success;
  expect(read('http://127.0.0.1:9000')).toBe(true);
  expect(read('http://minio.acme.com')).toBe(false);
  expect(read('https://minio.acme.com')).toBe(true);
});
