/**
 * What Google itself publishes of its API, read out of the client it publishes: each method's verb, path and query
 * parameters. Discovery documents are not in the package, the code generated from them is.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export interface GoogleMethod {
  /** `members.insert`. */
  readonly name: string;
  readonly verb: string;
  readonly path: RegExp;
  readonly greedy: boolean;
  /** Names of path and query parameters. */
  readonly parameters: ReadonlySet<string>;
}

const require = createRequire(import.meta.url);

/** `api` and `version` as the client spells them: `admin/directory_v1`. */
export function googleMethods(file: string): readonly GoogleMethod[] {
  const folder = require.resolve('googleapis/package.json').replace(/package\.json$/, 'build/src/apis/');
  const code = readFileSync(`${folder}${file}.js`, 'utf8');
  const types = readFileSync(`${folder}${file}.d.ts`, 'utf8');
  const methods: GoogleMethod[] = [];
  for (const [, resource = '', body = ''] of code.matchAll(/^ {4}class Resource\$([\w$]+) \{\n([\s\S]*?)^ {4}\}/gm)) {
    const found = body.matchAll(
      /^ {8}(\w+)\(paramsOrCallback[\s\S]*?rootUrl \+\s*'([^']+)'[\s\S]*?method: '([A-Z]+)'/gm,
    );
    for (const [, method = '', path = '', verb = ''] of found) {
      const shape = new RegExp(
        `interface Params\\$Resource\\$${resource.replaceAll('$', '\\$')}\\$${method[0]?.toUpperCase()}${method.slice(1)} [^{]*\\{([\\s\\S]*?)^ {4}\\}`,
        'im',
      ).exec(types)?.[1];
      methods.push({
        name: `${resource[0]?.toLowerCase()}${resource.slice(1)}.${method}`,
        verb,
        path: pattern(path),
        greedy: path.includes('{+'),
        parameters: new Set([...(shape ?? '').matchAll(/^ {8}'?([\w.]+)'?\?:/gm)].map((each) => each[1] ?? '')),
      });
    }
  }
  // A path that may hold slashes matches what is meant for others, so those come last.
  return methods.sort((a, b) => Number(a.greedy) - Number(b.greedy));
}

/** The method a request calls, when every query parameter is one of the method's own. */
export function methodOf(methods: readonly GoogleMethod[], verb: string, address: string): GoogleMethod | undefined {
  const url = new URL(address, 'http://127.0.0.1');
  return methods.find(
    (method) =>
      method.verb === verb &&
      method.path.test(url.pathname) &&
      [...url.searchParams.keys()].every((name) => method.parameters.has(name)),
  );
}

function pattern(template: string): RegExp {
  const escaped = template.replace(/[.*?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\{\+\w+\}/g, '[^?]+').replace(/\{\w+\}/g, '[^/]+')}$`);
}
