import type { Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { detectBridge } from './detect';
import { readBridge } from './read';
import { bridgeSchema } from './schema-data';

export const bridge: Dialect = {
  id: 'megatron-bridge',
  title: 'Megatron-Bridge configuration',
  detect: detectBridge,
  read: readBridge,
  vocabulary: nestedVocabulary(bridgeSchema),
};
