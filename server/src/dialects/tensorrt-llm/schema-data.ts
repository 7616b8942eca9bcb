import trtJson from '../../../../schemas/tensorrt-llm.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Fields of TensorRT-LLM's `TorchLlmArgs`, with those of earlier releases and the names of command lines. */
export const trtSchema = trtJson as unknown as JsonSchema & {
  /** Fields of earlier releases by where they went, or null. */
  readonly 'x-removed': Readonly<Record<string, string | null>>;
  /** Short names of `trtllm-serve` and of benchmark wrappers, with the field they set. */
  readonly 'x-wrapper': Readonly<Record<string, string>>;
};
