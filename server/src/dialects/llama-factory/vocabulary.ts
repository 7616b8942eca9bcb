import { nestedVocabulary } from '../vocabulary';
import { llamaFactorySchema } from './schema-data';

export const llamaFactoryVocabulary = nestedVocabulary(llamaFactorySchema);
