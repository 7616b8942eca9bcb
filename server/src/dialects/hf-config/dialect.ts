import type { Dialect } from '../dialect';
import { detectHfConfig } from './detect';
import { readHfConfig } from './read';
import { hfConfigVocabulary } from './vocabulary';

export const hfConfig: Dialect = {
  id: 'hf-config',
  title: 'Hugging Face config',
  detect: detectHfConfig,
  read: readHfConfig,
  vocabulary: hfConfigVocabulary,
};
