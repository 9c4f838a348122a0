// Made-up inputs that can be made again: FUZZ_SEED repeats a run, FUZZ_CASES is how many.
import crypto from 'node:crypto';

const seed = Number(process.env.FUZZ_SEED ?? crypto.randomInt(2 ** 31));
console.log(`# FUZZ_SEED=${seed}`);
export const CASES = Number(process.env.FUZZ_CASES ?? 4000);

// mulberry32: the same numbers for the same seed, on every machine.
let state = seed;
export function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
export const below = (end) => Math.floor(random() * end);
export const pick = (list) => list[below(list.length)];
export const some = (make, most) => Array.from({ length: below(most + 1) }, make);

// A few changes of a text.
export function changed(text, alphabet) {
  let result = text;
  for (let count = 1 + below(3); count > 0; count -= 1) {
    const at = below(result.length + 1);
    switch (below(5)) {
      case 0: result = result.slice(0, at) + pick(alphabet) + result.slice(at); break;
      case 1: result = result.slice(0, at) + pick(alphabet) + result.slice(at + 1); break;
      case 2: result = result.slice(0, at) + result.slice(at + 1 + below(3)); break;
      case 3: result = result.slice(0, at) + result.slice(at - below(5)); break;
      default: result = result.slice(0, at);
    }
  }
  return result;
}
