import type { SourceReference } from '../../plan/finding';

/** A place in LLaMA-Factory's own source. */
export function llamaFactoryFile(file: string, inFunction: string): SourceReference {
  return {
    framework: 'LLaMA-Factory',
    repository: 'https://github.com/hiyouga/LLaMA-Factory',
    file: `src/llamafactory/${file}`,
    function: inFunction,
    commit: 'ff6d4d12eeb035d6ce06805a5733dd7b29f2ac30',
  };
}
