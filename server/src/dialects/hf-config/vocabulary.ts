import { hfConfigSchema } from '../schemas';
import { nestedVocabulary, type Vocabulary } from '../vocabulary';

const TEXT_PARTS = new Set(['text_config', 'language_config', 'llm_config']);
const plainConfig = nestedVocabulary(hfConfigSchema);

/** The language part of a multimodal config has the keys of the top level. */
export const hfConfigVocabulary: Vocabulary = {
  root: hfConfigSchema,
  at: (path) => plainConfig.at(path.length > 1 && TEXT_PARTS.has(String(path[0])) ? path.slice(1) : path),
  below: (path) => plainConfig.below(TEXT_PARTS.has(String(path[0])) ? path.slice(1) : path),
};
