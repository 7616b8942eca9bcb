import type { ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { OptimizerSpec, RecomputeSpec } from '../../engine/spec/training';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import { checkConditions } from '../common/conditions';
import { emptyTraining, softened } from '../common/empty-plan';
import { booleanOf, childOf, entryOf, hasKey, integerOf, rootMap, textOf } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import { vocabularyOf } from '../common/tokenizers';
import { treeValues } from '../common/values';
import type { DialectReading } from '../dialect';
import { megatronArguments, type MegatronArguments, type Translated } from '../megatron/arguments';
import { megatronPlan } from '../megatron/plan';
import { NEOX } from '../megatron/profiles';
import { neoxConditions } from './conditions';
import { neoxKeyFindings } from './keys';
import { NEOX_NAMES } from './names';

/** Keys that mean something else in Megatron-LM, or are objects of DeepSpeed. */
const LEFT = new Set([
  'norm',
  'activation',
  'fp16',
  'bf16',
  'fp32',
  'precision',
  'optimizer',
  'zero_optimization',
  'moe_top_k',
]);

function normalEntry(entry: Entry): Entry {
  return entry.key.includes('-') ? { ...entry, key: entry.key.replaceAll('-', '_') } : entry;
}

/** Width of a gated feed-forward: a third of what is written (two thirds of a half), rounded up. Source: megatron/model/transformer.py, `ParallelMLP`. */
function gatedWidth(written: number | undefined, hidden: number | undefined, multiple: number): number | undefined {
  const whole = written ?? (hidden === undefined ? undefined : hidden * 4 * 2);
  return whole === undefined ? undefined : Math.ceil(Math.floor(whole / 3) / multiple) * multiple;
}

function translated(root: MapNode): Record<string, Translated | undefined> {
  const out: Record<string, Translated | undefined> = {};
  const put = (name: string, entry: Entry | undefined, value: string | number | boolean | undefined): void => {
    if (entry !== undefined && value !== undefined) out[name] = { entry, value };
  };
  const activation = entryOf(root, 'activation');
  const gated = /^(?:swiglu|geglu|reglu|bilinear)$/.test(textOf(activation?.value) ?? '');
  put('swiglu', activation, gated);
  const width = entryOf(root, 'intermediate_size');
  const multiple = integerOf(childOf(root, 'mlp_multiple_of')) ?? 1;
  if (gated && multiple > 0)
    put(
      'ffn_hidden_size',
      width ?? activation,
      gatedWidth(integerOf(width?.value), integerOf(childOf(root, 'hidden_size')), multiple),
    );
  const norm = entryOf(root, 'norm');
  if (/rmsnorm/.test(textOf(norm?.value) ?? '')) put('normalization', norm, 'RMSNorm');
  const kv = entryOf(root, 'num_kv_heads');
  put('group_query_attention', kv, integerOf(kv?.value) === undefined ? undefined : true);
  const pipe = entryOf(root, 'pipe_parallel_size');
  // Zero means that no pipeline module is built at all.
  put('pipeline_model_parallel_size', pipe, integerOf(pipe?.value) === 0 ? 1 : undefined);
  const position = entryOf(root, 'pos_emb');
  put(
    'position_embedding_type',
    position,
    textOf(position?.value) === 'rotary' ? 'rope' : textOf(position?.value) === 'learned' ? 'learned_absolute' : 'none',
  );
  put('bf16', formatEntry(root, 'bf16'), isOn(root, 'bf16'));
  put('fp16', formatEntry(root, 'fp16'), isOn(root, 'fp16'));
  return out;
}

function formatEntry(root: MapNode, name: 'bf16' | 'fp16'): Entry | undefined {
  return entryOf(root, name) ?? entryOf(root, 'precision');
}

function isOn(root: MapNode, name: 'bf16' | 'fp16'): boolean | undefined {
  const block = childOf(root, name);
  if (block !== undefined) return booleanOf(block.kind === 'map' ? childOf(block, 'enabled') : block) ?? undefined;
  const word = textOf(childOf(root, 'precision'));
  return word === undefined ? undefined : name === 'bf16' ? word === 'bfloat16' : word === 'fp16';
}

function neoxArguments(root: MapNode): MegatronArguments {
  const plain: MapNode = { ...root, entries: root.entries.map(normalEntry) };
  return megatronArguments({
    form: 'flat',
    profile: NEOX,
    entries: plain.entries.filter(({ key, value }) => value.kind !== 'map' && !LEFT.has(key)),
    renamed: NEOX_NAMES,
    translated: translated(plain),
    complete: hasKey(plain, 'num_layers') && hasKey(plain, 'train_micro_batch_size_per_gpu'),
  });
}

const LLAMA = 32_000;

/**
 * The vocabulary of the tokenizer, before it is padded. Files of one model leave the tokenizer to another file of the run, so what usually goes
 * with them is assumed. Source: megatron/tokenizer/tokenizer.py, `build_tokenizer`, and configs/.
 */
function vocabulary(root: MapNode): Sourced<number> {
  const find = (key: string): Entry | undefined => entryOf(root, key) ?? entryOf(root, key.replaceAll('_', '-'));
  const type = find('tokenizer_type');
  const file = find('vocab_file');
  const word = (textOf(type?.value) ?? '').toLowerCase();
  const known = vocabularyOf(textOf(file?.value) ?? '');
  if (file !== undefined && known !== undefined) return derived(known, 'the tokenizer that is named', file);
  if (type !== undefined && /gpt2/.test(word)) return derived(50_257, 'the GPT-2 tokenizer', type);
  if (type !== undefined && word === 'charleveltokenizer') return derived(512, 'one entry a byte', type);
  const usual = (value: number, note: string): Sourced<number> => ({ value, origin: 'assumed', note });
  const llama =
    textOf(find('norm')?.value) === 'rmsnorm' && integerOf(find('make_vocab_size_divisible_by')?.value) === 1;
  if (word === 'hftokenizer') return usual(50_277, 'the tokenizer of GPT-NeoX-20B');
  if (word === 'spmtokenizer' || (type === undefined && llama)) return usual(LLAMA, 'the tokenizer of Llama');
  return usual(50_257, 'the GPT-2 tokenizer, where no other file of the run names one');
}

function optimizer(root: MapNode): Planned<OptimizerSpec> {
  const zero = childOf(root, 'zero_optimization');
  const entry = entryOf(zero, 'stage');
  const stage = integerOf(entry?.value);
  const stages = [0, 1, 2, 3] as const;
  const known = stages.find((value) => value === stage);
  const kind = (textOf(childOf(childOf(root, 'optimizer'), 'type')) ?? 'adam').toLowerCase();
  const offload = childOf(zero, 'offload_optimizer') ?? childOf(zero, 'cpu_offload');
  return present<Planned<OptimizerSpec>>({
    kind:
      kind === 'sgd' || kind === 'lion' ? derived(kind, 'the optimizer that is named') : byDefault('adam', NEOX.note),
    zeroStage: entry === undefined ? byDefault(0, NEOX.note) : known === undefined ? undefined : written(known, entry),
    stack: byDefault('deepspeed', 'GPT-NeoX trains on DeepSpeed'),
    offloadOptimizer: byDefault(offload !== undefined && booleanOf(offload) !== false, NEOX.note),
    offloadParameters: byDefault(false, NEOX.note),
    gradientAccumulationFusion: byDefault(false, NEOX.note),
  });
}

function recompute(root: MapNode): Planned<RecomputeSpec> {
  const entry = entryOf(root, 'checkpoint_activations') ?? entryOf(root, 'checkpoint-activations');
  const on = booleanOf(entry?.value);
  const layers = entryOf(root, 'checkpoint_num_layers') ?? entryOf(root, 'checkpoint-num-layers');
  const count = integerOf(layers?.value);
  if (entry === undefined || on === undefined) return { granularity: byDefault('none', NEOX.note) };
  return present<Planned<RecomputeSpec>>({
    granularity: written(on ? 'full' : 'none', entry),
    method: on ? derived('uniform', 'checkpoint_num_layers layers a chunk', entry) : undefined,
    layers: on
      ? layers === undefined || count === undefined
        ? byDefault(1, NEOX.note)
        : written(count, layers)
      : undefined,
  });
}

/** Reads a GPT-NeoX file: model and degrees by their own names, batch, precision and ZeRO as DeepSpeed's. */
export function readNeox(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: emptyTraining('gpt-neox'), findings: [], references: [] };
  const args = neoxArguments(root);
  const base = megatronPlan(args, 'gpt-neox');
  const { globalBatch, microbatches: _one, ...batch } = base.batch;
  const steps = entryOf(root, 'gradient_accumulation_steps') ?? entryOf(root, 'gradient-accumulation-steps');
  const count = integerOf(steps?.value);
  const { virtualPipeline: _virtual, ...layout } = base.layout;
  const plan: Plan = {
    ...base,
    model: { ...(base.model.hiddenSize === undefined ? {} : { vocabSize: vocabulary(root) }), ...base.model },
    layout: {
      ...layout,
      expertTensor: byDefault(1, NEOX.note),
      sequenceParallel: layout.sequenceParallel ?? byDefault(false, NEOX.note),
    },
    optimizer: optimizer(root),
    recompute: recompute(root),
    batch: {
      ...batch,
      ...(globalBatch === undefined ? {} : { globalBatch }),
      ...(steps === undefined || count === undefined || count < 1
        ? globalBatch === undefined
          ? { microbatches: byDefault(1, NEOX.note) }
          : {}
        : { microbatches: written(count, steps) }),
    },
    details: {
      ...base.details,
      dataloaderMask: false,
      ropeFusion: false,
      transformerImpl: 'local',
      attentionKernel: flash(root) ? 'flash' : 'unfused',
    },
  };
  return {
    plan: args.complete ? plan : softened(plan, 'another file of the run may say otherwise'),
    findings: [
      ...neoxKeyFindings(root),
      ...checkConditions(neoxConditions, treeValues({ ...root, entries: root.entries.map(normalEntry) }, false)),
    ],
    references: [],
  };
}

function flash(root: MapNode): boolean {
  return /flash/.test(
    JSON.stringify(childOf(root, 'attention_config') ?? childOf(root, 'attention-config') ?? '', [
      'kind',
      'items',
      'value',
    ]),
  );
}
