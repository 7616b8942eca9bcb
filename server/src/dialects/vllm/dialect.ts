import type { Dialect } from '../dialect';
import { detectVllm } from './detect';
import { readVllm } from './read';
import { vllmVocabulary } from './vocabulary';

export const vllm: Dialect = {
  id: 'vllm',
  title: 'vLLM server',
  detect: detectVllm,
  read: readVllm,
  vocabulary: vllmVocabulary,
};
