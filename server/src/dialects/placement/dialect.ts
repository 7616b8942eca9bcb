import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectPlacement } from './detect';
import { readPlacement } from './read';
import { placementSchema } from './schema-data';

export const placement: Dialect = {
  id: 'placement',
  title: 'Expert placement or expert loads',
  detect: detectPlacement,
  read: readPlacement,
  vocabulary: nestedVocabulary(placementSchema),
};
