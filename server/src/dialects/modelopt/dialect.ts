import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectModelopt } from './detect';
import { readModelopt } from './read';
import { modeloptSchema } from './schema-data';

export const modelopt: Dialect = {
  id: 'modelopt',
  title: 'ModelOpt quantization recipe',
  detect: detectModelopt,
  read: readModelopt,
  vocabulary: nestedVocabulary(modeloptSchema),
};
