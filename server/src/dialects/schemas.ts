import hfConfigJson from '../../../schemas/hf-config.schema.json';
import megatronJson from '../../../schemas/megatron.schema.json';
import sglangJson from '../../../schemas/sglang.schema.json';
import shardlensJson from '../../../schemas/shardlens.schema.json';
import type { JsonSchema, JsonValue } from './common/json-schema';

// The schemas are data far larger than their types are worth: they are taken for what they say of themselves.

/** The plan format of Shardlens itself. */
export const shardlensSchema = shardlensJson as unknown as JsonSchema;

/** Keys of a Hugging Face `config.json`. */
export const hfConfigSchema = hfConfigJson as unknown as JsonSchema;

/** Arguments of the SGLang server, with what its config file reader refuses. */
export const sglangSchema = sglangJson as unknown as JsonSchema & {
  /** Keys that the command line takes and the config file reader does not. */
  readonly 'x-unsupported': readonly string[];
  /** Keys of earlier releases, with their successor or null. */
  readonly 'x-removed': Readonly<Record<string, string | null>>;
  readonly 'x-source': Readonly<Record<string, JsonValue>>;
};

/** Arguments of Megatron-LM's training scripts. */
export const megatronSchema = megatronJson as unknown as JsonSchema & {
  /** Flags that single entry scripts add to the common ones. */
  readonly 'x-entry-flags': readonly string[];
};

/** Megatron's arguments by flag, dashes included. */
export const megatronFlags: Readonly<Record<string, JsonSchema>> =
  megatronSchema.definitions?.['arguments']?.properties ?? {};
