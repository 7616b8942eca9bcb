import type { SourceReference } from '../../plan/finding';

/** A place in Accelerate's own source. */
export function accelerateFile(file: string, inFunction: string): SourceReference {
  return {
    framework: 'Accelerate',
    repository: 'https://github.com/huggingface/accelerate',
    file,
    function: inFunction,
    commit: '16cb6eb80dd9aa8b4df1a63ef57863e455d53b83',
  };
}
