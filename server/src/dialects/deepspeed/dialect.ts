import type { Dialect } from '../dialect';
import { detectDeepSpeed } from './detect';
import { readDeepSpeed } from './read';
import { deepSpeedVocabulary } from './vocabulary';

export const deepSpeed: Dialect = {
  id: 'deepspeed',
  title: 'DeepSpeed configuration',
  detect: detectDeepSpeed,
  read: readDeepSpeed,
  vocabulary: deepSpeedVocabulary,
};
