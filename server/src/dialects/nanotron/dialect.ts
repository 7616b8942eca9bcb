import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectNanotron } from './detect';
import { readNanotron } from './read';
import { nanotronSchema } from './schema-data';

export const nanotron: Dialect = {
  id: 'nanotron',
  title: 'nanotron training',
  detect: detectNanotron,
  read: readNanotron,
  vocabulary: nestedVocabulary(nanotronSchema),
};
