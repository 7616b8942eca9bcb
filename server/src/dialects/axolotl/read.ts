import type { DType } from '../../engine/spec/numbers';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Finding } from '../../plan/finding';
import type { Plan, Sourced } from '../../plan/plan';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { fsdpPrecision, fsdpSections, wordsOfFsdp } from '../accelerate/fsdp';
import { layerClassFindings } from '../accelerate/layer-class';
import { nestedKeyFindings } from '../common/nested-keys';
import { rootMap } from '../common/nodes';
import { isTruthy } from '../common/rows';
import { byDefault, present } from '../common/sourced';
import { DEEPSPEED, deepSpeedBeside } from '../deepspeed/companion';
import { completeDeepSpeed, deepSpeedSections } from '../deepspeed/plan';
import { NO_SECTIONS, overlaid, trainingPlan, type Sections } from '../deepspeed/sections';
import { checkSource, follows, hidden, layered, placeIn, taken, type Source } from '../deepspeed/source';
import { withAuto } from '../deepspeed/trainer';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import { adapterDetails, modelFile, trainerSections, unknownMemory, type TrainerNames } from '../trl/trainer';
import { axolotlFile } from './framework';
import { AXOLOTL_TRAINER, axolotlConditions, FSDP_NAMES, groupFindings, sharded } from './rules';
import { axolotlSchema } from './schema-data';

const NAMES: TrainerNames = {
  model: 'base_model',
  microBatch: 'micro_batch_size',
  accumulation: 'gradient_accumulation_steps',
  perGpu: 'batch_size',
  sequence: ['sequence_len'],
  optimizer: 'optimizer',
  checkpointing: { name: 'gradient_checkpointing', otherwise: false },
  sequenceDefault: 512,
};

const LAYER_CLASS = ['transformer_layer_cls_to_wrap', 'fsdp_transformer_layer_cls_to_wrap'].map(
  (key) => `fsdp_config.${key}`,
);

/** `bf16: auto`, Axolotl's default, is true on every GPU that these jobs run on; it yields to FP16. */
function resolved(source: Source): Source {
  const flag = (name: string): boolean | undefined => {
    if (name !== 'bf16') return source.flag(name);
    const word = source.text('bf16');
    if (word === 'full') return true;
    if (word !== 'auto' && source.entry('bf16') !== undefined) return source.flag('bf16');
    return source.flag('fp16') !== true && source.flag('float16') !== true;
  };
  return { ...source, flag };
}

/** Format that weights are loaded in and products are computed in. Source: axolotl, src/axolotl/utils/config, `resolve_dtype`. */
function loadedAs(source: Source): Sourced<DType> {
  const named = (['bf16', 'bfloat16', 'fp16', 'float16'] as const).find(
    (name) => source.entry(name) !== undefined && source.flag(name) === true,
  );
  if (named !== undefined) {
    const value: DType = named.startsWith('b') ? 'BF16' : 'F16';
    return taken(source, named, value) ?? byDefault<DType>(value, named);
  }
  if (source.flag('bf16') === true) return byDefault<DType>('BF16', 'bf16 auto');
  if (source.flag('load_in_8bit') === true) return byDefault<DType>('F16', '8-bit weights without bf16');
  return byDefault<DType>('F32', 'no half format is asked for');
}

function precisionOf(source: Source, adapters: boolean): Plan['precision'] {
  const format = loadedAs(source);
  const narrow = !adapters && format.value !== 'F32';
  const states = narrow ? byDefault<DType>(format.value, 'states take the format of the weights') : undefined;
  return present<Plan['precision']>({
    weights: format,
    compute: format,
    gradients: states,
    masterWeights: byDefault('none', 'the Trainer keeps no second copy of the weights'),
    firstMoment: states,
    secondMoment: states,
  });
}

/** The plugin of cut cross entropy switches itself on; Liger's fused loss is a flag. */
function lossOf(source: Source): TrainingDetails {
  const plugins = source.words('plugins') ?? [];
  const cut = plugins.some((name) => name.includes('CutCrossEntropyPlugin'));
  if (cut && source.flag('cut_cross_entropy') !== false) return { linearLoss: 'cut' };
  return source.flag('liger_fused_linear_cross_entropy') === true ? { linearLoss: 'liger' } : {};
}

function adapterOf(source: Source): TrainingDetails {
  const adapter = source.text('adapter');
  if (adapter !== 'lora' && adapter !== 'qlora') return {};
  const every = source.flag('lora_target_linear') === true;
  const found = adapterDetails(source, { rank: 'lora_r', targets: every ? '' : 'lora_target_modules' });
  // The library picks the query and value projections of most families where no module is named.
  const picked = !every && source.entry('lora_target_modules') === undefined;
  const lora =
    found.lora === undefined ? {} : { lora: picked ? { ...found.lora, targets: ['q_proj', 'v_proj'] } : found.lora };
  if (source.flag('load_in_8bit') === true) return { ...lora, quantizedBase: true, baseBytes: 1 };
  return source.flag('load_in_4bit') === true ? { ...lora, quantizedBase: true } : lora;
}

/** Degrees of the mesh. With `dp_shard_size` all of them together are the world. */
function layoutOf(source: Source): Plan['layout'] {
  const size = (...names: string[]): Sourced<number> | undefined => {
    const name = names.find((key) => (source.integer(key) ?? 0) >= 1);
    return name === undefined ? undefined : taken(source, name, source.integer(name));
  };
  const tensor = size('tensor_parallel_size');
  const context = size('context_parallel_size', 'sequence_parallel_degree');
  const replicate = size('dp_replicate_size');
  const shard = size('dp_shard_size');
  const others = [tensor, context, replicate].reduce((product, degree) => product * (degree?.value ?? 1), 1);
  return present<Plan['layout']>({
    tensor,
    context,
    dataReplicate: replicate,
    dataShard:
      shard === undefined
        ? undefined
        : follows(source, 'dp_shard_size', shard.value * (context?.value ?? 1), 'shard × context ranks hold one copy'),
    worldSize:
      shard === undefined
        ? undefined
        : follows(source, 'dp_shard_size', shard.value * others, 'all degrees of the mesh together'),
  });
}

function sectionsOf(source: Source): Sections {
  const details = { ...lossOf(source), ...adapterOf(source) };
  const adapters = details.lora !== undefined;
  const base = overlaid(trainerSections(source, NAMES), {
    ...NO_SECTIONS,
    details,
    layout: layoutOf(source),
    precision: precisionOf(source, adapters),
    unresolved: [
      ...unknownMemory(source, ['unfrozen_parameters', 'relora', 'lisa_n_layers', 'layer_offloading', 'tiled_mlp']),
      ...hidden(source, [
        ['layout.tensor', 'tensor_parallel_size'],
        ['layout.context', 'context_parallel_size'],
        ['layout.dataShard', 'dp_shard_size'],
      ]),
    ],
  });
  if (isTruthy(source, 'deepspeed')) {
    const both = overlaid({ ...base, precision: {} }, deepSpeedSections(source, DEEPSPEED));
    const { lora, ...rest } = both.details;
    // DeepSpeed casts the whole model, adapters included, to its own half format.
    return lora === undefined ? both : { ...both, details: { ...rest, lora: { ...lora, bytes: 2 } } };
  }
  if (!sharded(source)) return base;
  const own = overlaid(base, fsdpSections(source, FSDP_NAMES));
  // FSDP raises what trains to FP32 under mixed precision; frozen weights keep their format.
  const precision = adapters || loadedAs(source).value === 'F32' ? own.precision : fsdpPrecision(loadedAs(source));
  return overlaid({ ...own, precision }, wordsOfFsdp(source, FSDP_NAMES));
}

function keyFindings(root: MapNode): Finding[] {
  return nestedKeyFindings(root, axolotlSchema, {
    framework: 'Axolotl',
    source: axolotlFile('AxolotlInputConfig', 'utils/schemas/config.py'),
    refuses: 'which passes over unknown ones without a word',
    near: 'warning',
    far: 'information',
    value: 'warning',
  });
}

function modelReference(source: Source): Reference[] {
  const target = modelFile(source.text('base_model'));
  const at = placeIn(source, 'base_model');
  return target === undefined || at === undefined ? [] : [{ at, target, kind: 'model-config' }];
}

/** Reads an Axolotl file, with the DeepSpeed file that it names. */
export function readAxolotl(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('axolotl', NO_SECTIONS), findings: [], references: [] };
  const named = deepSpeedBeside(layered([{ root, prefix: '' }]), 'deepspeed', read);
  const source = withAuto(resolved(layered([{ root, prefix: '' }, ...named.layers])), AXOLOTL_TRAINER);
  return {
    plan: trainingPlan('axolotl', overlaid(sectionsOf(source), { ...NO_SECTIONS, unresolved: named.unresolved })),
    ...(named.layers.length === 0 ? {} : { complete: completeDeepSpeed(source, DEEPSPEED) }),
    findings: [...keyFindings(root), ...checkSource(axolotlConditions, source)],
    check: (plan) => [...groupFindings(source, plan), ...layerClassFindings(source, LAYER_CLASS, plan)],
    references: [...modelReference(source), ...named.references],
  };
}
