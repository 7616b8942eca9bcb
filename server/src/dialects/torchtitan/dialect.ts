import type { Dialect } from '../dialect';
import { detectTorchtitan } from './detect';
import { readTorchtitan } from './read';
import { titanVocabulary } from './vocabulary';

export const torchtitan: Dialect = {
  id: 'torchtitan',
  title: 'torchtitan job',
  detect: detectTorchtitan,
  read: readTorchtitan,
  vocabulary: titanVocabulary,
};
