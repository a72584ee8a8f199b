import { createCipheriv } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the image that is pushed and pulled. SLIPWAY_BENCH_MB makes it smaller. */
const MEGABYTES = Number(process.env.SLIPWAY_BENCH_MB ?? 500);
const LAYERS = 5;
const SMALLEST = 4 << 10;
const LARGEST = 4 << 20;

export const IMAGE_TEXT = `an image of ${MEGABYTES} MB in ${LAYERS} layers, files of 4 KiB to 4 MiB, a third of the bytes each incompressible, like programs and like text`;

/**
 * Writes the image's build context into `folder`, which is made: a Dockerfile that copies one folder a layer. The same
 * bytes everywhere.
 */
export function writeImageContext(folder: string): void {
  for (let layer = 0; layer < LAYERS; layer++)
    writeLayer(join(folder, `l${layer}`), layer, (MEGABYTES * 1e6) / LAYERS);
  const lines = Array.from({ length: LAYERS }, (_, layer) => `COPY l${layer} /l${layer}\n`);
  writeFileSync(join(folder, 'Dockerfile'), `FROM scratch\n${lines.join('')}`);
}

/** Sizes are spread evenly over powers; each file is of the kind of which there is least so far. */
function writeLayer(folder: string, seed: number, bytes: number): void {
  mkdirSync(folder, { recursive: true });
  const random = new RandomBytes(seed);
  const kinds = [
    { name: 'archive', make: (size: number) => random.take(size), bytes: 0 },
    {
      name: 'program',
      make: sequence(random, vocabulary(random, { words: 3000, least: 2, most: 7 })),
      bytes: 0,
    },
    { name: 'text', make: sequence(random, englishLike(random)), bytes: 0 },
  ];
  for (let left = bytes, file = 0; left > 0; file++) {
    const size = Math.min(left, Math.round(SMALLEST * (LARGEST / SMALLEST) ** random.fraction()));
    const kind = kinds.reduce((least, one) => (one.bytes < least.bytes ? one : least));
    writeFileSync(join(folder, `${kind.name}${file}`), kind.make(size));
    kind.bytes += size;
    left -= size;
  }
}

/** AES in counter mode: as good as random, fast, the same for the same seed. */
class RandomBytes {
  readonly #cipher;

  constructor(seed: number) {
    this.#cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed + 1), Buffer.alloc(16));
  }

  take(size: number): Buffer {
    return this.#cipher.update(Buffer.alloc(size));
  }

  fraction(): number {
    return this.take(4).readUInt32LE() / 2 ** 32;
  }
}

/** Random words, as instructions with their operands are. */
function vocabulary(
  random: RandomBytes,
  { words, least, most }: { words: number; least: number; most: number },
): Buffer[] {
  return Array.from({ length: words }, () =>
    random.take(least + Math.floor(random.fraction() * (most - least + 1))),
  );
}

function englishLike(random: RandomBytes): Buffer[] {
  return vocabulary(random, { words: 6000, least: 2, most: 11 }).map((word) => {
    for (let at = 0; at < word.length; at++) word[at] = 97 + ((word[at]! * word[at]! * 26) >> 16);
    word[word.length - 1] = random.fraction() < 0.1 ? 10 : 32;
    return word;
  });
}

/** Words one after the other, the n-th of them as often as 1/n says (Zipf). */
function sequence(random: RandomBytes, words: readonly Buffer[]): (size: number) => Buffer {
  const total = words.reduce((sum, _, index) => sum + 1 / (index + 1), 0);
  const table = new Uint16Array(1 << 16);
  let at = 0;
  let sum = 0;
  for (const index of words.keys()) {
    sum += 1 / (index + 1) / total;
    table.fill(index, at, Math.round(sum * table.length));
    at = Math.round(sum * table.length);
  }
  return (size) => {
    const content = Buffer.allocUnsafe(size);
    let choices: Buffer = Buffer.alloc(0);
    let next = 0;
    for (let at = 0; at < size; ) {
      if (next === choices.length) {
        choices = random.take(1 << 16);
        next = 0;
      }
      const word = words[table[choices[next]! | (choices[next + 1]! << 8)]!]!;
      next += 2;
      for (let index = 0; index < word.length && at < size; ) content[at++] = word[index++]!;
    }
    return content;
  };
}
