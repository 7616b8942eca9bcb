import type { Dialect } from '../dialect';
import { detectShardlens } from './detect';
import { readShardlens } from './read';
import { shardlensVocabulary } from './vocabulary';

export const shardlens: Dialect = {
  id: 'shardlens',
  title: 'Shardlens plan',
  detect: detectShardlens,
  read: readShardlens,
  vocabulary: shardlensVocabulary,
};
