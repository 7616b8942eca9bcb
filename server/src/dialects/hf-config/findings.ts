import type { Finding, Severity, SourceReference } from '../../plan/finding';
import type { Place } from '../../plan/plan';

/** What the reader of a model config can say, with one line each for the index of rules. */
export const HF_CONFIG_RULES = {
  'size-not-positive': 'A size of the model is zero, negative, or no whole number.',
  'wrong-type': 'A value of a type that the key does not take.',
  'head-width-not-whole': 'The hidden size does not divide by the heads and no head width is given.',
  'kv-heads-not-dividing-heads': 'The query heads are no multiple of the key/value heads.',
  'layer-pattern-length': 'A list with one entry a layer has another length than the model has layers.',
  'dense-layers-beyond-model': 'More leading dense layers than the model has layers.',
  'experts-per-token-too-many': 'More experts a token than there are experts.',
  'expert-groups-not-divisible':
    'The experts do not divide into the expert groups, or a token may use more groups than exist.',
  'unknown-dtype': 'A number format that no framework knows.',
  'quantization-block-invalid': 'A quantization block or group size that is no pair of positive numbers.',
  'unknown-quantization': 'A quantization method that no serving engine loads.',
  'model-not-modelled': 'A model family whose tensors are not known here, so that nothing is computed from it.',
  'language-model-only': 'A multimodal config, of which only the language model is computed.',
} as const;

export type HfConfigRule = keyof typeof HF_CONFIG_RULES;

/** Where transformers or an engine decides it. */
export function transformers(file: string, where: string): SourceReference {
  return { framework: 'transformers', repository: 'huggingface/transformers', file, function: where };
}

/** Collects what is found while a config is read. */
export interface Notes {
  readonly findings: Finding[];
  readonly add: (rule: HfConfigRule, severity: Severity, at: Place, message: string, source?: SourceReference) => void;
}

export function notes(): Notes {
  const findings: Finding[] = [];
  return {
    findings,
    add: (rule, severity, at, message, source) => {
      findings.push({ rule, severity, message, at, ...(source === undefined ? {} : { source }) });
    },
  };
}
