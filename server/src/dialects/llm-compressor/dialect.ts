import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectRecipe } from './detect';
import { readRecipe } from './read';
import { recipeSchema } from './schema-data';

export const llmCompressor: Dialect = {
  id: 'llm-compressor',
  title: 'llm-compressor recipe',
  detect: detectRecipe,
  read: readRecipe,
  vocabulary: nestedVocabulary(recipeSchema),
};
