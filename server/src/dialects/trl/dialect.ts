import type { Dialect } from '../dialect';
import { detectTrl } from './detect';
import { readTrl } from './read';
import { trlVocabulary } from './vocabulary';

export const trl: Dialect = {
  id: 'trl',
  title: 'TRL training',
  detect: detectTrl,
  read: readTrl,
  vocabulary: trlVocabulary,
};
