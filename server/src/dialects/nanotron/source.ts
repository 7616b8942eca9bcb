import type { SourceReference } from '../../plan/finding';

/** nanotron source reference at the commit that the rules were read from. */
export function nano(file: string, fn: string): SourceReference {
  return {
    framework: 'nanotron',
    repository: 'huggingface/nanotron',
    file: `src/nanotron/${file}`,
    function: fn,
    commit: '2411b022',
  };
}
