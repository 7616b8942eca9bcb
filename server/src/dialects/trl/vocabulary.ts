import { nestedVocabulary } from '../vocabulary';
import { trlSchema } from './schema-data';

export const trlVocabulary = nestedVocabulary(trlSchema);
