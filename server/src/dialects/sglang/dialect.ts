import type { Dialect } from '../dialect';
import { detectSglang } from './detect';
import { readSglang } from './read';
import { sglangVocabulary } from './vocabulary';

export const sglang: Dialect = {
  id: 'sglang',
  title: 'SGLang server',
  detect: detectSglang,
  read: readSglang,
  vocabulary: sglangVocabulary,
};
