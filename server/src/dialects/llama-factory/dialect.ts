import type { Dialect } from '../dialect';
import { detectLlamaFactory } from './detect';
import { readLlamaFactory } from './read';
import { llamaFactoryVocabulary } from './vocabulary';

export const llamaFactory: Dialect = {
  id: 'llama-factory',
  title: 'LLaMA-Factory training',
  detect: detectLlamaFactory,
  read: readLlamaFactory,
  vocabulary: llamaFactoryVocabulary,
};
