import type { Dialect } from '../dialect';
import { detectMegatron } from './detect';
import { readMegatron } from './read';
import { megatronVocabulary } from './vocabulary';

export const megatron: Dialect = {
  id: 'megatron',
  title: 'Megatron-LM',
  detect: detectMegatron,
  read: readMegatron,
  vocabulary: megatronVocabulary,
};
