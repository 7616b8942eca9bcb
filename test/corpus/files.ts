import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One file of the corpus: its folder below the root, its own name, its text. */
export interface CorpusText {
  readonly folder: string;
  readonly name: string;
  readonly text: string;
}

const TEXT = /\.(?:ya?ml|jsonc?|toml|sh)$/;

/** Every text file of the corpus, sorted so that seeded choices repeat. */
export function corpusTexts(root: string): CorpusText[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && TEXT.test(entry.name) && entry.name !== 'index.json')
    .map((entry) => ({
      folder: entry.parentPath.slice(root.length + 1),
      name: entry.name.split('__').at(-1) ?? entry.name,
      text: readFileSync(join(entry.parentPath, entry.name), 'utf8'),
    }))
    .sort((a, b) => `${a.folder}/${a.name}`.localeCompare(`${b.folder}/${b.name}`));
}

/** A repeatable generator of whole numbers below a bound (a linear congruential generator, constants of Numerical Recipes). */
export function seeded(seed: number): (bound: number) => number {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * bound);
  };
}
