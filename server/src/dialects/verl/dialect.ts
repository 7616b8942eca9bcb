import type { Dialect } from '../dialect';
import { detectVerl } from './detect';
import { readVerl } from './read';
import { verlVocabulary } from './vocabulary';

export const verl: Dialect = {
  id: 'verl',
  title: 'verl training',
  detect: detectVerl,
  read: readVerl,
  vocabulary: verlVocabulary,
};
