/** Reading YAML without losing where things stand, so that every problem can name its line. */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

export type Path = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ParsedFile {
  /** Plain data; `undefined` when the text could not be read at all. */
  readonly value: unknown;
  readonly problems: readonly (Place & { readonly message: string })[];
  /** The place of a key or item, or of the nearest one above it that is in the file. */
  locate(path: Path): Place;
}

const FILE_MOST_BYTES = 1024 * 1024;
/** Enough for a list written once and used in many policies; far below what makes a small file large. */
const ALIASES_MOST = 100;
const START: Place = { line: 1, column: 1 };

/** Never throws, whatever the text. */
export function parseFile(text: string): ParsedFile {
  const unread = (message: string): ParsedFile => ({
    value: undefined,
    problems: [{ ...START, message }],
    locate: () => START,
  });
  if (Buffer.byteLength(text) > FILE_MOST_BYTES) return unread('the file is larger than 1 MiB');
  try {
    return parse(text);
  } catch (error) {
    // Deep nesting ends in a RangeError, too many aliases in a ReferenceError; neither names a place.
    if (error instanceof ReferenceError) return unread(`too many aliases (more than ${ALIASES_MOST} uses)`);
    return unread('the file is nested too deeply to be read');
  }
}

function parse(text: string): ParsedFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    strict: true,
    stringKeys: true,
  });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems = document.errors.map((error) => ({
    ...place(error.pos[0]),
    message: wording(error.code, error.message),
  }));
  // Warnings are unknown tags and directives: nothing of ours, so nothing we can have understood.
  problems.push(...document.warnings.map((warning) => ({ ...place(warning.pos[0]), message: warning.message })));
  const value: unknown = problems.length > 0 ? undefined : document.toJS({ maxAliasCount: ALIASES_MOST });

  function locate(path: Path): Place {
    let node: unknown = document.contents;
    let at = 0;
    for (const part of path) {
      let next: unknown;
      let key: unknown;
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
        key = pair?.key;
        next = pair?.value;
      } else if (isSeq(node)) {
        next = node.items[Number(part)];
        key = next;
      }
      const range = (key as Node | undefined)?.range;
      if (range === undefined || range === null) break;
      at = range[0];
      node = next;
    }
    return place(at);
  }

  return { value, problems, locate };
}

function wording(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key stands here twice; only one of them can be meant';
    case 'TAB_AS_INDENT':
      return 'a tab cannot be used for indentation; use spaces';
    case 'MULTIPLE_DOCS':
      return 'the file holds more than one document; only one can be meant';
    default:
      // The library's messages can quote the text, and the text may hold a token written in clear.
      return message.split('\n')[0]?.replace(/: .*$/, '') ?? 'this is not YAML';
  }
}

/** `policies.standard.approvers[0]` */
export function pathText(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${part}`)).join('');
}
