import vllmJson from '../../../../schemas/vllm.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** Arguments of the vLLM server, with those that earlier releases had. Taken for what it says of itself: its type would cost more than it gives. */
export const vllmSchema = vllmJson as unknown as JsonSchema & {
  /** Keys of earlier releases, with their successor or null. */
  readonly 'x-removed': Readonly<Record<string, string | null>>;
};
