/** A stream of numbers in [0, 1) that only depends on the seed (the mulberry32 generator). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of a run: SLIPWAY_TEST_SEED, else another one each time. It is part of the name of the tests that use it. */
export function testSeed(): number {
  return Number(process.env.SLIPWAY_TEST_SEED ?? Date.now() % 1_000_000);
}
