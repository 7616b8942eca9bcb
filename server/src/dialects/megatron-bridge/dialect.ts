import type { Dialect } from '../dialect';
import { megatronFieldVocabulary } from '../megatron/vocabulary';
import { detectBridge } from './detect';
import { readBridge } from './read';

export const bridge: Dialect = {
  id: 'megatron-bridge',
  title: 'Megatron-Bridge configuration',
  detect: detectBridge,
  read: readBridge,
  vocabulary: megatronFieldVocabulary,
};
