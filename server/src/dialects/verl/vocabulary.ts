import { nestedVocabulary } from '../vocabulary';
import { verlSchema } from './schema-data';

export const verlVocabulary = nestedVocabulary(verlSchema);
