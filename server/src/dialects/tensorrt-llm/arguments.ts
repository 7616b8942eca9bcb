import type { Arity } from '../../syntax/arguments';
import type { Entry, MapNode } from '../../syntax/tree';
import { emptyPlanOf } from '../common/empty-plan';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { Finding } from '../../plan/finding';
import type { Plan } from '../../plan/plan';
import { childOf, integerOf, mapOf, placeOf, rootMap, textOf } from '../common/nodes';
import { namedModel } from '../vllm/arguments';
import { hiddenTrt, readTrtCluster, readTrtLayout, trtDegrees } from './layout';
import { completeTrt, readTrtExperts, readTrtQuantization, readTrtServing } from './serving';
import { checkTrt } from './rules';
import { checkTrtModel, type TrtAround } from './rules-model';
import { trtSchema } from './schema-data';
import { trtSource } from './source';
import { relocated } from '../common/relocate';
import { trtValues, type TrtValues } from './values';

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

const EMPTY = emptyPlanOf('tensorrt-llm', 'serving');

/** Files that the options name. */
function references(values: TrtValues): Reference[] {
  const entry = values.entry('moe_config.load_balancer');
  const path = values.text('moe_config.load_balancer');
  return entry === undefined || path === undefined ? [] : [{ at: placeOf(entry), target: path, kind: 'placement' }];
}

/** The quantization of a checkpoint: ModelOpt's own file, or what the config says. */
function quantizationOf(folder: string, read: ReadCompanion): MapNode | undefined {
  const section = (file: string, key: string): MapNode | undefined => {
    const tree = read(`${folder}/${file}`)?.tree;
    return mapOf(tree === undefined ? undefined : rootMap(tree), key);
  };
  return section('hf_quant_config.json', 'quantization') ?? section('config.json', 'quantization_config');
}

/** What files beside this one add to what can be checked. */
function aroundOf(values: TrtValues, read: ReadCompanion, model: Entry | undefined): Omit<TrtAround, 'model'> {
  const folder = textOf(model?.value)?.replace(/\/+$/, '');
  const quantization = folder === undefined ? undefined : quantizationOf(folder, read);
  const cacheFormat = textOf(childOf(quantization, 'kv_cache_quant_algo'));
  const path = values.text('moe_config.load_balancer');
  const tree = path === undefined ? undefined : read(path)?.tree;
  const file = tree === undefined ? undefined : rootMap(tree);
  const slots = integerOf(childOf(file, 'num_slots'));
  const placement = mapOf(file, 'initial_global_assignments');
  return {
    ...(cacheFormat === undefined ? {} : { cacheFormat }),
    ...(slots === undefined ? {} : { slots }),
    ...(placement === undefined ? {} : { placement }),
  };
}

/** The plan of one server from its options, wherever they stand. */
export function readTrtValues(values: TrtValues, read: ReadCompanion, positional?: Entry): DialectReading {
  const degrees = trtDegrees(values);
  const model = positional ?? values.entry('model');
  const named = namedModel(model, read);
  const around = aroundOf(values, read, model);
  const plan: Plan = {
    ...EMPTY,
    model: named.model,
    layout: readTrtLayout(values, degrees),
    quantization: readTrtQuantization(values),
    cluster: readTrtCluster(values),
    serving: readTrtServing(values, degrees, around.cacheFormat),
    experts: readTrtExperts(values),
    unresolved: hiddenTrt(values),
  };
  return {
    plan,
    complete: completeTrt(values),
    findings: checkTrt(values),
    references: [...named.references, ...references(values)],
    check: (resolved) => checkTrtModel(values, resolved, around),
  };
}

/** Options that the command and its file both give: those of the command win without a word. */
function twice(own: MapNode, file: MapNode | undefined): Finding[] {
  return own.entries.flatMap((entry): Finding[] => {
    const field = trtSchema['x-wrapper'][entry.key] ?? entry.key;
    const other = file === undefined ? undefined : trtValues([file]).entry(field);
    return other === undefined
      ? []
      : [
          {
            rule: 'option-over-file',
            severity: 'information',
            at: placeOf(entry),
            source: trtSource('commands/serve.py', 'update_llm_args_with_extra_dict'),
            message: `The file of options gives \`${field}\` too; what the command says here wins.`,
          },
        ];
  });
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
  // A file that is named and cannot be read may say anything.
  const complete = file.reference === undefined || file.map !== undefined;
  const reading = readTrtValues(trtValues([own, file.map], complete), read, command.model);
  return {
    ...reading,
    findings: [...reading.findings, ...twice(own, file.map)],
    references: file.reference === undefined ? reading.references : [...reading.references, file.reference],
  };
}

export { EMPTY as NO_TRT_PLAN };
