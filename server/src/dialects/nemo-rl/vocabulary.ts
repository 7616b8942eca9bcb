import { nestedVocabulary } from '../vocabulary';
import { nemoRlSchema } from './schema-data';

export const nemoRlVocabulary = nestedVocabulary(nemoRlSchema);
