/**
 * Draws the icons of the Teams app: a pass on a lanyard, with a check on it. `npx node scripts/draw-icons.ts` writes them
 * into manifests/teams/. Shapes are distances, so that edges are smooth at any size; no library and no font.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { crc32, deflateSync } from 'node:zlib';

type Point = readonly [x: number, y: number];
/** How far outside of a shape a point is, in parts of the picture; negative inside. */
type Shape = (at: Point) => number;
type Colour = readonly [red: number, green: number, blue: number];

const NAVY: Colour = [31, 58, 95];
const WHITE: Colour = [255, 255, 255];
const STRAP: Colour = [126, 178, 255];
const GREEN: Colour = [30, 142, 90];

const circle =
  ([cx, cy]: Point, radius: number): Shape =>
  ([x, y]) =>
    Math.hypot(x - cx, y - cy) - radius;

const card =
  ([cx, cy]: Point, width: number, height: number, radius: number): Shape =>
  ([x, y]) => {
    const dx = Math.abs(x - cx) - width / 2 + radius;
    const dy = Math.abs(y - cy) - height / 2 + radius;
    return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - radius;
  };

const line =
  (points: readonly Point[], width: number): Shape =>
  (at) =>
    Math.min(...points.slice(1).map((to, index) => toSegment(at, points[index] ?? to, to))) - width / 2;

function toSegment([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

const without =
  (shape: Shape, hole: Shape): Shape =>
  (at) =>
    Math.max(shape(at), -hole(at));

const outline =
  (shape: Shape, width: number): Shape =>
  (at) =>
    Math.abs(shape(at)) - width / 2;

const HOLE: Point = [0.5, 0.375];
const PASS = card([0.5, 0.585], 0.5, 0.58, 0.085);
const SLOT = circle(HOLE, 0.042);
const LANYARD = line([[0.33, -0.05], HOLE, [0.67, -0.05]], 0.055);
const CHECK: readonly Point[] = [
  [0.375, 0.625],
  [0.465, 0.715],
  [0.635, 0.525],
];

interface Layer {
  readonly shape: Shape;
  readonly colour: Colour;
}

/** Layers from the back to the front over a background, or over nothing. */
function draw(size: number, layers: readonly Layer[], background?: Colour): Buffer {
  const pixels = Buffer.alloc(size * (size * 4 + 1));
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      let [red, green, blue] = background ?? WHITE;
      let alpha = background === undefined ? 0 : 1;
      for (const { shape, colour } of layers) {
        const distance = shape([(column + 0.5) / size, (row + 0.5) / size]) * size;
        const cover = Math.min(1, Math.max(0, 0.5 - distance));
        red += (colour[0] - red) * cover;
        green += (colour[1] - green) * cover;
        blue += (colour[2] - blue) * cover;
        alpha = alpha + (1 - alpha) * cover;
      }
      const at = row * (size * 4 + 1) + 1 + column * 4;
      pixels.set([red, green, blue, alpha * 255].map(Math.round), at);
    }
  return png(size, pixels);
}

function png(size: number, rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // Eight bits for each of red, green, blue and alpha.
  header.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND'),
  ]);
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

const folder = new URL('../manifests/teams/', import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(
  new URL('color.png', folder),
  draw(
    192,
    [
      { shape: without(PASS, SLOT), colour: WHITE },
      { shape: LANYARD, colour: STRAP },
      { shape: line(CHECK, 0.075), colour: GREEN },
    ],
    NAVY,
  ),
);
// Teams wants the outline in white alone, on nothing.
await writeFile(
  new URL('outline.png', folder),
  draw(32, [
    { shape: outline(card([0.5, 0.6], 0.62, 0.62, 0.1), 0.075), colour: WHITE },
    {
      shape: line(
        [
          [0.36, 0.04],
          [0.5, 0.27],
          [0.64, 0.04],
        ],
        0.075,
      ),
      colour: WHITE,
    },
    {
      shape: line(
        [
          [0.36, 0.62],
          [0.465, 0.725],
          [0.65, 0.5],
        ],
        0.09,
      ),
      colour: WHITE,
    },
  ]),
);
