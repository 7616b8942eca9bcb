import type { Entry } from '../../syntax/tree';
import type { Condition } from '../common/conditions';
import { replaceFix } from '../common/findings';
import { integerOf, isUnresolved, textOf } from '../common/nodes';
import type { ConfigValues } from '../common/values';
import { defaultOf, type MegatronArguments } from './arguments';

/** Megatron's arguments as its checks see them; `env.NAME` is a variable of the launch. */
export interface MegatronValues extends ConfigValues {
  readonly args: MegatronArguments;
  /** Sizes and experts of the model stand in the file, not in a checkpoint that is named: what is absent is not there. */
  readonly sized: boolean;
}

export type Check = Condition<MegatronValues>;

const ENVIRONMENT = 'env.';

/** Files that hand sizes or degrees to a checkpoint, a model's own configuration or a file of layers. */
const ELSEWHERE = [
  'use_checkpoint_args',
  'use_mp_args_from_checkpoint_args',
  'heterogeneous_layers_config_path',
  'heterogeneous_layers_config_encoded_json',
  'export_te_mcore_model',
];

export function megatronValues(args: MegatronArguments): MegatronValues {
  const entry = (name: string): Entry | undefined =>
    name.startsWith(ENVIRONMENT) ? args.other(name.slice(ENVIRONMENT.length)) : args.entry(name);
  const elsewhere = args.profile.namedModel || ELSEWHERE.some((name) => args.entry(name) !== undefined);
  return {
    ...args,
    args,
    sized: args.complete && !elsewhere,
    entry,
    unknown: (name) => {
      const found = entry(name);
      return found !== undefined && isUnresolved(found.value);
    },
    text: (name) => (name.startsWith(ENVIRONMENT) ? textOf(entry(name)?.value) : args.text(name)),
    integer: (name) => (name.startsWith(ENVIRONMENT) ? integerOf(entry(name)?.value) : args.integer(name)),
  };
}

function left(values: MegatronValues, name: string): string | number | boolean | undefined {
  return values.entry(name) === undefined && values.complete !== false ? defaultOf(name) : undefined;
}

/** A switch as it will be: as written, or the parser's default where a complete file leaves it out. */
export function switchOf(values: MegatronValues, name: string): boolean | undefined {
  const written = values.flag(name);
  if (written !== undefined) return written;
  const silent = left(values, name);
  return typeof silent === 'boolean' ? silent : undefined;
}

export function on(values: MegatronValues, name: string): boolean {
  return switchOf(values, name) === true;
}

export function off(values: MegatronValues, name: string): boolean {
  return switchOf(values, name) === false;
}

/** A word as it will be: as written, or the parser's default where a complete file leaves it out. */
export function wordOf(values: MegatronValues, name: string): string | undefined {
  const written = values.text(name);
  if (written !== undefined) return written;
  const silent = left(values, name);
  return typeof silent === 'string' ? silent : undefined;
}

/** A number as it will be: as written, or the parser's default where a complete file leaves it out. */
export function countOf(values: MegatronValues, name: string): number | undefined {
  const written = values.number(name);
  if (written !== undefined) return written;
  const silent = left(values, name);
  return typeof silent === 'number' ? silent : undefined;
}

/** A parallel degree: at least one, and one where a complete file says nothing. */
export function degreeOf(values: MegatronValues, name: string): number | undefined {
  const count = countOf(values, name) ?? (left(values, name) === undefined && isAbsent(values, name) ? 1 : undefined);
  return count !== undefined && Number.isInteger(count) && count >= 1 ? count : undefined;
}

export function above(values: MegatronValues, name: string, least = 1): boolean {
  const count = degreeOf(values, name);
  return count !== undefined && count > least;
}

/** Set to something: a switch that is on, a number other than zero, any other value. */
export function isGiven(values: MegatronValues, name: string): boolean {
  if (values.entry(name) === undefined || values.unknown(name)) return false;
  const flag = values.flag(name);
  if (flag !== undefined) return flag;
  const number = values.number(name);
  return number === undefined ? (values.text(name) ?? 'list').length > 0 : number !== 0;
}

/** Known to be left out: neither written nor set by a profile, in a file that is whole. `--load: false` leaves an argument out too. */
export function isAbsent(values: MegatronValues, name: string): boolean {
  if (values.complete === false || values.unknown(name)) return false;
  const entry = values.entry(name);
  if (entry !== undefined) return entry.value.kind === 'scalar' && entry.value.value === false;
  return values.text(name) === undefined && values.number(name) === undefined && values.flag(name) !== true;
}

/** The name that the file gives an argument, or its flag where it gives none. */
export function label(values: MegatronValues, name: string): string {
  return `\`${values.entry(name)?.key ?? `--${name.replaceAll('_', '-')}`}\``;
}

/** A fix that writes another value where the file gives one. */
export function setTo(name: string, to: string | ((values: MegatronValues) => string | undefined)): Check['fixes'] {
  return (values) => {
    const node = values.node(name);
    const value = typeof to === 'string' ? to : to(values);
    const key = values.entry(name)?.key ?? name;
    return node === undefined || value === undefined ? [] : [replaceFix(`Set ${key} to ${value}`, node.span, value)];
  };
}

/** One condition in short: the source is that of its table, the severity `error` unless it says otherwise. */
export interface Row {
  readonly rule: string;
  readonly covers: readonly string[];
  readonly keys: readonly string[];
  readonly severity?: Check['severity'];
  readonly when: (values: MegatronValues) => boolean;
  readonly says: string | ((values: MegatronValues) => string);
  readonly fixes?: Check['fixes'];
}

export function checks(source: Check['source'], rows: readonly Row[]): readonly Check[] {
  return rows.map(({ rule, covers, keys, severity, when, says, fixes }) => ({
    rule,
    covers,
    keys,
    severity: severity ?? 'error',
    source,
    says: (values) => (when(values) ? (typeof says === 'string' ? says : says(values)) : undefined),
    ...(fixes === undefined ? {} : { fixes }),
  }));
}
