/** Sections of a plan whose values carry provenance. */
export const SECTIONS = [
  'model',
  'quantization',
  'cluster',
  'layout',
  'precision',
  'optimizer',
  'recompute',
  'batch',
  'pipeline',
  'serving',
  'experts',
] as const;
