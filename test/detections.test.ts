/**
 * Detection rules: ours find and let pass what their samples say, and a file that is wrong is refused with its line and
 * path, never taken half.
 */
import { describe, expect, test } from 'vitest';
import type { Detection } from '../src/access/detection.ts';
import { compileDetection } from '../src/conditions/cel.ts';
import { readDetections, shippedDetections } from '../src/config-detections.ts';

const read = (...files: readonly string[]) =>
  readDetections(
    shippedDetections(),
    files.map((text, i) => ({ name: `rules/${i}.yaml`, text })),
    compileDetection,
  );

const RULE = `id: night
title: At night
level: low
when: activity.minute > 60
samples:
  finds: [ { activity: { minute: 61 } } ]
  passes: [ { activity: { minute: 60 } } ]
`;

describe('the rules that come with Hallpass', () => {
  const { detections, problems } = read();

  test('hold what their samples say', () => {
    expect(problems).toEqual([]);
    expect(detections.map(({ id }) => id)).toEqual([
      'admin-granted',
      'bulk-export',
      'far-more-than-before',
      'logging-disabled',
      'mfa-reset',
      'new-country',
      'new-device',
      'outside-resource',
      'policy-changed',
      'token-created',
      'unused',
      'use-after-end',
    ]);
    expect(detections.every(({ ours }) => ours)).toBe(true);
  });

  test('are read as they are named: a file for each, called by its id', () => {
    const names = shippedDetections().map(({ name }) => name.replace(/^detections\/(.*)\.yaml$/, '$1'));
    expect(names).toEqual(detections.map(({ id }) => id));
  });
});

describe("the operator's own rules", () => {
  test('are judged beside ours', () => {
    const { detections, problems } = read(RULE);
    expect(problems).toEqual([]);
    expect(detections.at(-1)).toMatchObject({
      id: 'night',
      judged: 'activity',
      ours: false,
      reads: ['activity.minute'],
    });
  });

  test('take the place of one of ours of the same id, or leave it out', () => {
    const own = RULE.replace('id: night', 'id: unused');
    const byId = (found: readonly Detection[], id: string) => found.filter((one) => one.id === id);
    expect(byId(read(own).detections, 'unused').map(({ ours, judged }) => [ours, judged])).toEqual([
      [false, 'activity'],
    ]);
    expect(byId(read('{ id: new-device, off: true }').detections, 'new-device')).toEqual([]);
  });

  test.each([
    ['no YAML', 'id: [', { line: 1, message: /./ }],
    [
      'an unknown key',
      RULE.replace('level: low', 'level: low\nlvl: x'),
      { line: 4, path: 'lvl', message: /unknown key/ },
    ],
    ['an unknown level', RULE.replace('low', 'severe'), { line: 3, path: 'level' }],
    [
      'no sample that it finds',
      RULE.replace(/finds: .*/, 'finds: []'),
      { line: 6, path: 'samples.finds', message: /finds/ },
    ],
    [
      'a misspelt field',
      RULE.replace('activity.minute >', 'activity.minutes >'),
      { line: 4, path: 'when', message: /minute/ },
    ],
    [
      'no question',
      RULE.replace('activity.minute > 60', 'activity.minute'),
      { line: 4, path: 'when', message: /true or false/ },
    ],
    [
      'an activity, where none is judged',
      RULE.replace('level: low', 'level: low\njudged: end'),
      { line: 5, path: 'when', message: /there is no “activity”/ },
    ],
    [
      'a sample that it does not find',
      RULE.replace('minute: 61', 'minute: 60'),
      { line: 6, path: 'samples.finds[0]', message: /lets this sample pass/ },
    ],
    [
      'a sample that it finds all the same',
      RULE.replace('minute: 60', 'minute: 99'),
      { line: 7, path: 'samples.passes[0]', message: /finds this sample/ },
    ],
    ['an id of no Sigma rule', RULE.replace('level: low', 'level: low\nsigma: [ x ]'), { line: 4, path: 'sigma[0]' }],
    ['nothing of ours to leave out', '{ id: nothing, off: true }', { path: 'id', message: /no rule "nothing"/ }],
  ])('are refused, with line and path: %s', (_what, text, { line, path, message }: Expected) => {
    const { problems } = read(text);
    expect(problems).not.toEqual([]);
    expect(problems[0]).toMatchObject({
      file: 'rules/0.yaml',
      ...(line === undefined ? {} : { line }),
      ...(path === undefined ? {} : { path }),
    });
    if (message !== undefined) expect(problems[0]?.message).toMatch(message);
  });

  test('may not have an id twice', () => {
    expect(read(RULE, RULE).problems).toEqual([
      expect.objectContaining({ file: 'rules/1.yaml', path: 'id', message: expect.stringMatching(/rules\/0\.yaml/) }),
    ]);
  });
});

interface Expected {
  readonly line?: number;
  readonly path?: string;
  readonly message?: RegExp;
}
