import type { Finding } from '../../plan/finding';
import type { JsonSchema } from '../common/json-schema';
import { nestedKeyFindings, type KeyPolicy } from '../common/nested-keys';
import { schemaOfFlag, vllmOptions } from './keys';
import { vllmSchema } from './schema-data';
import { vllmSource } from './source';
import type { VllmArguments } from './values';

/** Classes behind JSON arguments refuse fields that they do not have; which ones there are changes with every release. */
const POLICY: Omit<KeyPolicy, 'framework'> = {
  source: vllmSource('config/utils.py', 'config'),
  refuses: 'which refuses fields that it does not know',
  near: 'warning',
  far: 'warning',
  value: 'warning',
  coerces: true,
};

const classes: readonly (readonly [string, JsonSchema])[] = vllmOptions.flatMap((flag) => {
  const schema = schemaOfFlag(flag);
  return schema?.properties === undefined
    ? []
    : [[flag, { ...schema, ...(vllmSchema.definitions === undefined ? {} : { definitions: vllmSchema.definitions }) }]];
});

/** Fields of JSON arguments that their classes do not have, and values that do not fit them. */
export function vllmJsonFindings(args: VllmArguments): Finding[] {
  return classes.flatMap(([flag, schema]) => {
    const map = args.map(flag);
    return map === undefined ? [] : nestedKeyFindings(map, schema, { ...POLICY, framework: `vLLM's ${flag}` });
  });
}
