import { nestedVocabulary } from '../vocabulary';
import { accelerateSchema } from './schema-data';

export const accelerateVocabulary = nestedVocabulary(accelerateSchema);
