import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectTrt } from './detect';
import { readTrt } from './read';
import { trtSchema } from './schema-data';

export const tensorrtLlm: Dialect = {
  id: 'tensorrt-llm',
  title: 'TensorRT-LLM options',
  detect: detectTrt,
  read: readTrt,
  vocabulary: nestedVocabulary(trtSchema),
};
