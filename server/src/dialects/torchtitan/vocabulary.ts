import { nestedVocabulary } from '../vocabulary';
import { titanSchema } from './schema-data';

export const titanVocabulary = nestedVocabulary(titanSchema);
