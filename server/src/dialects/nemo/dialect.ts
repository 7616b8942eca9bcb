import type { Dialect } from '../dialect';
import { megatronFieldVocabulary } from '../megatron/vocabulary';
import { detectNemo } from './detect';
import { readNemo } from './read';

export const nemo: Dialect = {
  id: 'nemo',
  title: 'NeMo 1.x training',
  detect: detectNemo,
  read: readNemo,
  vocabulary: megatronFieldVocabulary,
};
