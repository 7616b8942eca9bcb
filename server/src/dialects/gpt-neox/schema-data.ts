import schemaJson from '../../../../schemas/gpt-neox.schema.json';
import type { JsonSchema } from '../common/json-schema';
import { matchMegatronKey } from '../megatron/arguments';
import { NEOX_NAMES } from './names';

interface Packed {
  readonly title: string;
  /** Keys by type, blank-separated. */
  readonly 'x-types': Readonly<Record<string, string>>;
  /** Words that a key takes. */
  readonly 'x-words': Readonly<Record<string, readonly string[]>>;
}

const packed = schemaJson as unknown as Packed;

/** What is said of an argument of Megatron-LM holds for the one that GPT-NeoX has for the same thing. */
function property(key: string, type: string): JsonSchema {
  const { description, 'x-unit': unit } = matchMegatronKey(NEOX_NAMES[key] ?? key)?.schema ?? {};
  const words = packed['x-words'][key];
  return {
    ...(type === 'any' ? {} : { type }),
    ...(words === undefined ? {} : { enum: words }),
    ...(description === undefined ? {} : { description }),
    ...(unit === undefined ? {} : { 'x-unit': unit }),
  };
}

/** Every argument of GPT-NeoX, DeepSpeed's among them. */
export const neoxSchema: JsonSchema = {
  title: packed.title,
  type: 'object',
  properties: Object.fromEntries(
    Object.entries(packed['x-types']).flatMap(([type, keys]) =>
      keys.split(' ').map((key) => [key, property(key, type)]),
    ),
  ),
};
