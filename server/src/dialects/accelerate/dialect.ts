import type { Dialect } from '../dialect';
import { detectAccelerate } from './detect';
import { readAccelerate } from './read';
import { accelerateVocabulary } from './vocabulary';

export const accelerate: Dialect = {
  id: 'accelerate',
  title: 'Accelerate configuration',
  detect: detectAccelerate,
  read: readAccelerate,
  vocabulary: accelerateVocabulary,
};
