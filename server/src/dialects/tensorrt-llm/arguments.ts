import type { Arity } from '../../syntax/arguments';
import type { Entry, MapNode } from '../../syntax/tree';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { Plan } from '../../plan/plan';
import { placeOf, rootMap, textOf } from '../common/nodes';
import { namedModel } from '../vllm/arguments';
import { hiddenTrt, readTrtCluster, readTrtLayout, trtDegrees } from './layout';
import { completeTrt, readTrtExperts, readTrtQuantization, readTrtServing } from './serving';
import { relocated, trtValues, type TrtValues } from './values';

/** What is known about a `trtllm-serve` command beside its options. */
export interface TrtCommand {
  /** Text of the whole document: the places of the options point into it. */
  readonly text: string;
  /** The positional model of `trtllm-serve MODEL`. */
  readonly model?: Entry;
}

const FLAGS = new Set([
  'trust_remote_code',
  'enable_chunked_prefill',
  'enable_attention_dp',
  'fail_fast_on_attention_window_too_large',
]);

/** How many words an option of `trtllm-serve` takes: one, but for the switches. */
export const trtArity: Arity = (name) => (FLAGS.has(name.replaceAll('-', '_')) ? 'flag' : 'one');

const EMPTY: Plan = {
  dialect: 'tensorrt-llm',
  task: 'serving',
  model: {},
  quantization: {},
  cluster: {},
  layout: {},
  precision: {},
  optimizer: {},
  recompute: {},
  batch: {},
  pipeline: {},
  serving: {},
  experts: {},
  unresolved: [],
};

/** Files that the options name. */
function references(values: TrtValues): Reference[] {
  const entry = values.entry('moe_config.load_balancer');
  const path = values.text('moe_config.load_balancer');
  return entry === undefined || path === undefined ? [] : [{ at: placeOf(entry), target: path, kind: 'placement' }];
}

/** The plan of one server from its options, wherever they stand. */
export function readTrtValues(values: TrtValues, read: ReadCompanion, positional?: Entry): DialectReading {
  const degrees = trtDegrees(values);
  const named = namedModel(positional ?? values.entry('model'), read);
  const plan: Plan = {
    ...EMPTY,
    model: named.model,
    layout: readTrtLayout(values, degrees),
    quantization: readTrtQuantization(values),
    cluster: readTrtCluster(values),
    serving: readTrtServing(values, degrees),
    experts: readTrtExperts(values),
    unresolved: hiddenTrt(values),
  };
  return {
    plan,
    complete: completeTrt(values),
    findings: [],
    references: [...named.references, ...references(values)],
  };
}

/** The YAML file of a command (`--config`, `--extra_llm_api_options`), with every place at the word that names it. */
function optionsFile(root: MapNode, read: ReadCompanion): { readonly map?: MapNode; readonly reference?: Reference } {
  const entry = root.entries.find(({ key }) => ['config', 'extra_llm_api_options'].includes(key.replaceAll('-', '_')));
  const path = textOf(entry?.value);
  if (entry === undefined || path === undefined) return {};
  const tree = read(path)?.tree;
  const map = tree === undefined ? undefined : rootMap(tree);
  return {
    reference: { at: placeOf(entry), target: path, kind: 'config' },
    ...(map === undefined ? {} : { map: relocated(map, entry.value.span) }),
  };
}

/** Reads a `trtllm-serve` command: its own options first, then the file that it names. `root` as `parseArguments` gives it, with `trtArity`. */
export function readTrtllmArguments(root: MapNode, read: ReadCompanion, command: TrtCommand): DialectReading {
  const own: MapNode = {
    ...root,
    entries: root.entries.map((entry) => ({ ...entry, key: entry.key.replaceAll('-', '_') })),
  };
  const file = optionsFile(own, read);
  const reading = readTrtValues(trtValues([own, file.map]), read, command.model);
  return {
    ...reading,
    references: file.reference === undefined ? reading.references : [...reading.references, file.reference],
  };
}

export { EMPTY as NO_TRT_PLAN };
