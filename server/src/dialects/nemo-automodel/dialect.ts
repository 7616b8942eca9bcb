import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectAutomodel } from './detect';
import { readAutomodel } from './read';
import { automodelSchema } from './schema-data';

export const nemoAutomodel: Dialect = {
  id: 'nemo-automodel',
  title: 'NeMo Automodel recipe',
  detect: detectAutomodel,
  read: readAutomodel,
  vocabulary: nestedVocabulary(automodelSchema),
};
