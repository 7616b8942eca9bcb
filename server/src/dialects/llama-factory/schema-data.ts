import schemaJson from '../../../../schemas/llama-factory.schema.json';
import type { JsonSchema } from '../common/json-schema';

export const llamaFactorySchema = schemaJson as unknown as JsonSchema & {
  /** Keys that only the Megatron launch modes read. */
  readonly 'x-megatron': readonly string[];
  /** All keys of the sectioned v1 form. */
  readonly 'x-v1': readonly string[];
};
