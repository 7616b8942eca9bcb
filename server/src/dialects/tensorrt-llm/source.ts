import type { SourceReference } from '../../plan/finding';

/** TensorRT-LLM source reference at the commit that the rules were read from. */
export function trtSource(file: string, fn: string): SourceReference {
  return {
    framework: 'TensorRT-LLM',
    repository: 'NVIDIA/TensorRT-LLM',
    file: `tensorrt_llm/${file}`,
    function: fn,
    commit: '0004396720',
  };
}
