import { nestedVocabulary } from '../vocabulary';
import { axolotlSchema } from './schema-data';

export const axolotlVocabulary = nestedVocabulary(axolotlSchema);
