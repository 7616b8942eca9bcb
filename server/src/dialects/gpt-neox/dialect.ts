import type { Dialect } from '../dialect';
import { nestedVocabulary, type KeyPath, type Vocabulary } from '../vocabulary';
import { detectNeox } from './detect';
import { readNeox } from './read';
import { neoxSchema } from './schema-data';

const nested = nestedVocabulary(neoxSchema);

/** Dashes and underscores are the same to GPT-NeoX. */
const plain = (path: KeyPath): KeyPath =>
  path.map((step) => (typeof step === 'string' ? step.replaceAll('-', '_') : step));

const vocabulary: Vocabulary = {
  root: neoxSchema,
  at: (path) => nested.at(plain(path)),
  below: (path) => nested.below(plain(path)),
};

export const gptNeox: Dialect = {
  id: 'gpt-neox',
  title: 'GPT-NeoX configuration',
  detect: detectNeox,
  read: readNeox,
  vocabulary,
};
