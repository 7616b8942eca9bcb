import type { Finding } from '../../plan/finding';
import { remark } from '../common/findings';
import type { JsonSchema } from '../common/json-schema';
import { nestedKeyFindings, type KeyPolicy } from '../common/nested-keys';
import { placeOf } from '../common/nodes';
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

const objects: readonly string[] = vllmOptions.filter((flag) => schemaOfFlag(flag)?.type === 'object');

/** Text that looks like JSON and is none: what could be read of it stands as a mapping here, so text that is left was refused. */
function brokenJson(args: VllmArguments, flag: string): Finding[] {
  const entry = args.entry(flag);
  const node = entry?.value;
  if (entry === undefined || node?.kind !== 'scalar' || node.unresolved || typeof node.value !== 'string') return [];
  if (!/^\s*\{/.test(node.value) || /\$|\{\{/.test(node.value)) return [];
  const quotes = node.value.includes("'") && !node.value.includes('"') ? ': keys and words stand in double quotes' : '';
  return [
    remark({
      rule: 'wrong-type',
      severity: 'error',
      at: placeOf(entry),
      source: vllmSource('engine/arg_utils.py', 'parse_type'),
      message: `\`${entry.key}\` takes JSON, and this is none${quotes}.`,
    }),
  ];
}

/** Fields of JSON arguments that their classes do not have, and values that do not fit them. */
export function vllmJsonFindings(args: VllmArguments): Finding[] {
  const broken = objects.flatMap((flag) => brokenJson(args, flag));
  const fields = classes.flatMap(([flag, schema]) => {
    const map = args.map(flag);
    return map === undefined ? [] : nestedKeyFindings(map, schema, { ...POLICY, framework: `vLLM's ${flag}` });
  });
  return [...broken, ...fields];
}
