import type { SourceReference } from '../../plan/finding';

/** A place in DeepSpeed's own source. */
export function deepSpeedFile(file: string, inFunction: string): SourceReference {
  return {
    framework: 'DeepSpeed',
    repository: 'https://github.com/deepspeedai/DeepSpeed',
    file,
    function: inFunction,
    commit: 'edaa7221267243c7be7fb49c5d5f5c4fb97b4641',
  };
}
