import schemaJson from '../../../../schemas/megatron-bridge.schema.json';
import type { JsonSchema } from '../common/json-schema';
import { matchMegatronKey } from '../megatron/arguments';

interface Packed {
  readonly title: string;
  /** Sections whose class the configuration itself chooses: keys that no known class has may be right. */
  readonly 'x-open': readonly string[];
  /** Keys of each section by type, blank-separated. */
  readonly 'x-sections': Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const packed = schemaJson as unknown as Packed;

/** What is said of an argument of Megatron holds for the field of the same name. */
function property(key: string, type: string): JsonSchema {
  const { description, 'x-unit': unit, 'x-plan': plan } = matchMegatronKey(key)?.schema ?? {};
  return {
    ...(type === 'any' ? {} : { type }),
    ...(description === undefined ? {} : { description }),
    ...(unit === undefined ? {} : { 'x-unit': unit }),
    ...(plan === undefined ? {} : { 'x-plan': plan }),
  };
}

function section(name: string, types: Readonly<Record<string, string>>): JsonSchema {
  const properties = Object.entries(types).flatMap(([type, keys]) =>
    keys.split(' ').map((key): [string, JsonSchema] => [key, property(key, type)]),
  );
  return { properties: Object.fromEntries(properties), additionalProperties: packed['x-open'].includes(name) };
}

/** Sections of Megatron-Bridge's ConfigContainer with the fields of the classes that fill them. */
export const bridgeSchema: JsonSchema = {
  title: packed.title,
  type: 'object',
  properties: {
    ...Object.fromEntries(Object.entries(packed['x-sections']).map(([name, types]) => [name, section(name, types)])),
    env_vars: { description: 'Variables of the environment of every rank.' },
    peft: { description: 'Adapters to train in place of all weights.' },
    optimizer_config_override_provider: {},
  },
};
