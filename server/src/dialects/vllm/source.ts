import type { SourceReference } from '../../plan/finding';

/** vLLM source reference at the commit that the rules were read from. */
export function vllmSource(file: string, fn: string): SourceReference {
  return {
    framework: 'vLLM',
    repository: 'vllm-project/vllm',
    file: `vllm/${file}`,
    function: fn,
    commit: '017e9f4448',
  };
}
