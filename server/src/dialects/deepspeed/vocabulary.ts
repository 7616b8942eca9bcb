import { nestedVocabulary } from '../vocabulary';
import { deepSpeedSchema } from './schema-data';

export const deepSpeedVocabulary = nestedVocabulary(deepSpeedSchema);
