import type { Dialect } from '../dialect';
import { detectNemoRl } from './detect';
import { readNemoRl } from './read';
import { nemoRlVocabulary } from './vocabulary';

export const nemoRl: Dialect = {
  id: 'nemo-rl',
  title: 'NeMo-RL training',
  detect: detectNemoRl,
  read: readNemoRl,
  vocabulary: nemoRlVocabulary,
};
