import { BLOCK, badTar, tarLimits } from './tar-format.ts';
import { readNumber } from './tar-number.ts';

/** A part of a sparse file that has content; what lies between the parts reads as zeros. */
export interface SparseArea {
  offset: number;
  length: number;
}

/**
 * Reads the areas of an old GNU sparse header, or of one of its extension blocks, into `areas`; returns whether
 * (another) extension block follows. `start` and `count` say where they stand.
 */
export function readGnuAreas(block: Buffer, start: number, count: number, areas: SparseArea[]): boolean {
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    areas.push({
      offset: readNumber(block, at, 12, 'sparse offset'),
      length: readNumber(block, at + 12, 12, 'sparse length'),
    });
  }
  if (areas.length > tarLimits.sparseAreas) throw tooMany();
  return block[start + count * 24] === 1;
}

/** The areas of PAX sparse formats 0.0 and 0.1: decimal numbers, offset and length in turn. */
export function pairAreas(numbers: string[]): SparseArea[] {
  if (numbers.length % 2 !== 0)
    throw badTar('TAR_SPARSE', 'the map of a sparse file has an odd number of fields');
  const areas: SparseArea[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    areas.push({ offset: decimal(numbers[i]!), length: decimal(numbers[i + 1]!) });
  }
  if (areas.length > tarLimits.sparseAreas) throw tooMany();
  return areas;
}

/**
 * PAX sparse format 1.0: the map stands before the content, as decimal lines filled up to a block. Fed block by
 * block until it returns the areas.
 */
export class SparseMapReader {
  #text = '';
  #numbers: number[] = [];
  #expected: number | undefined;
  /** Bytes of the map read so far. */
  size = 0;

  push(block: Buffer): SparseArea[] | undefined {
    this.size += BLOCK;
    const lines = (this.#text + block.toString('latin1')).split('\n');
    this.#text = lines.pop()!;
    for (const line of lines) {
      if (this.#expected === undefined) {
        this.#expected = decimal(line) * 2;
        if (this.#expected > 2 * tarLimits.sparseAreas) throw tooMany();
      } else if (this.#numbers.length < this.#expected) {
        this.#numbers.push(decimal(line));
      }
    }
    if (this.#text.length > 32 && this.#numbers.length !== this.#expected) {
      throw badTar('TAR_SPARSE', 'bad number in the map of a sparse file');
    }
    if (this.#numbers.length !== this.#expected) return undefined;
    const areas: SparseArea[] = [];
    for (let i = 0; i < this.#numbers.length; i += 2) {
      areas.push({ offset: this.#numbers[i]!, length: this.#numbers[i + 1]! });
    }
    return areas;
  }
}

/** Refuses areas that overlap, run backwards or reach beyond the file, or do not add up to what is stored. */
export function checkAreas(areas: SparseArea[], size: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of areas) {
    if (offset < end || length < 0 || offset + length > size) {
      throw badTar('TAR_SPARSE', 'the parts of a sparse file overlap or lie outside it');
    }
    end = offset + length;
    sum += length;
  }
  if (sum !== stored)
    throw badTar('TAR_SPARSE', 'the parts of a sparse file do not add up to its stored size');
}

function decimal(text: string): number {
  const number = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(number)) {
    throw badTar('TAR_SPARSE', 'bad number in the map of a sparse file');
  }
  return number;
}

function tooMany(): Error {
  return badTar('TAR_SPARSE', `a sparse file has more than ${tarLimits.sparseAreas} parts`);
}
