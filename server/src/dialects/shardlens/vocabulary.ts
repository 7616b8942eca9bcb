import { shardlensSchema } from '../schemas';
import { nestedVocabulary } from '../vocabulary';

export const shardlensVocabulary = nestedVocabulary(shardlensSchema);
