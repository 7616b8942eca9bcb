import type { DType } from '../../engine/spec/numbers';
import type { Finding } from '../../plan/finding';
import type { Plan, Sourced } from '../../plan/plan';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { remark, replaceFix } from '../common/findings';
import { keyPlaceOf, rootMap } from '../common/nodes';
import { byDefault, present } from '../common/sourced';
import { closest } from '../common/spelling';
import { DEEPSPEED, deepSpeedBeside } from '../deepspeed/companion';
import { completeDeepSpeed, deepSpeedSections } from '../deepspeed/plan';
import { NO_SECTIONS, overlaid, trainingPlan, type Sections } from '../deepspeed/sections';
import { checkSource, follows, hidden, layered, taken, type Source } from '../deepspeed/source';
import type { DialectReading, ReadCompanion } from '../dialect';
import { fsdpPrecision, fsdpSections } from './fsdp';
import { accelerateFile } from './framework';
import { layerClassFindings } from './layer-class';
import { accelerateConditions } from './rules';
import { accelerateSchema } from './schema-data';

export const FSDP = { section: 'fsdp_config', version: ['fsdp_config.fsdp_version', 'fsdp_config.version'] };

const LAYER_CLASS = ['fsdp_config.fsdp_transformer_layer_cls_to_wrap'];

/** Degrees of the mesh: `dp_shard` and `dp_replicate` count ranks beside tensor and context parallelism. */
function meshOf(source: Source): Plan['layout'] {
  const size = (name: string): Sourced<number> | undefined => {
    const key = `parallelism_config.parallelism_config_${name}`;
    const value = source.integer(key);
    return value === undefined || value < 1 ? undefined : taken(source, key, value);
  };
  const sequence = size('sp_size');
  return present<Plan['layout']>({
    tensor: size('tp_size') ?? megatron(source, 'tp_degree'),
    pipeline: megatron(source, 'pp_degree'),
    context:
      sequence !== undefined && sequence.value > 1
        ? sequence
        : (size('cp_size') ?? megatron(source, 'context_parallel_size')),
    expert: megatron(source, 'expert_model_parallel_size'),
    dataShard: shardOf(source),
    dataReplicate: size('dp_replicate_size'),
    worldSize: worldOf(source),
    sequenceParallel: taken(
      source,
      'megatron_lm_config.megatron_lm_sequence_parallelism',
      source.flag('megatron_lm_config.megatron_lm_sequence_parallelism'),
    ),
  });
}

/** One copy of the states is shared out over the ranks of `dp_shard` and of context parallelism together. */
function shardOf(source: Source): Sourced<number> | undefined {
  const key = (name: string): string => `parallelism_config.parallelism_config_${name}_size`;
  const shard = source.integer(key('dp_shard'));
  if (shard === undefined || shard < 1) return undefined;
  const context = source.integer(key('cp')) ?? 1;
  return context > 1
    ? follows(source, key('dp_shard'), shard * context, 'shard × context ranks hold one copy')
    : taken(source, key('dp_shard'), shard);
}

function megatron(source: Source, name: string): Sourced<number> | undefined {
  const key = `megatron_lm_config.megatron_lm_${name}`;
  const value = source.integer(key);
  return value === undefined || value < 1 ? undefined : taken(source, key, value);
}

function worldOf(source: Source): Sourced<number> | undefined {
  const count = source.integer('num_processes');
  if (count === undefined || count < 1) return undefined;
  // Without a distributed type one process runs, whatever number of them is written.
  if (source.text('distributed_type')?.toUpperCase() === 'NO' || source.flag('distributed_type') === false)
    return follows(source, 'num_processes', 1, 'distributed_type NO runs one process');
  return taken(source, 'num_processes', count);
}

function clusterOf(source: Source): Plan['cluster'] {
  const machines = source.integer('num_machines');
  const world = worldOf(source)?.value;
  if (machines === undefined || machines < 1) return {};
  const perNode = world === undefined || world % machines !== 0 || machines === 1 ? undefined : world / machines;
  return present<Plan['cluster']>({
    nodes: taken(source, 'num_machines', machines),
    gpusPerNode:
      perNode === undefined ? undefined : follows(source, 'num_processes', perNode, 'processes over machines'),
  });
}

function computeOf(source: Source): Sourced<DType> | undefined {
  const word = source.text('mixed_precision')?.toLowerCase();
  const format: DType | undefined =
    word === 'bf16' || word === 'fp8' ? 'BF16' : word === 'fp16' ? 'F16' : word === 'no' ? 'F32' : undefined;
  return taken(source, 'mixed_precision', format);
}

/** Accelerate's own DeepSpeed options, where no file is named. */
function pluginSections(source: Source): Sections {
  const stage = source.integer('deepspeed_config.zero_stage');
  const device = (part: string): Sourced<boolean> | undefined => {
    const key = `deepspeed_config.offload_${part}_device`;
    const word = source.text(key);
    return taken(source, key, word === undefined ? undefined : word !== 'none');
  };
  const steps = source.integer('deepspeed_config.gradient_accumulation_steps');
  const compute = computeOf(source);
  return {
    ...NO_SECTIONS,
    optimizer: present<Plan['optimizer']>({
      stack: byDefault('deepspeed', 'distributed_type DEEPSPEED'),
      zeroStage:
        stage === 0 || stage === 1 || stage === 2 || stage === 3
          ? taken(source, 'deepspeed_config.zero_stage', stage)
          : source.entry('deepspeed_config.zero_stage') === undefined
            ? byDefault(2, "Accelerate's default")
            : undefined,
      offloadOptimizer: device('optimizer'),
      offloadParameters: device('param'),
    }),
    batch: present<Plan['batch']>({
      microbatches: taken(source, 'deepspeed_config.gradient_accumulation_steps', steps),
    }),
    // Gradients take the model's format under ZeRO.
    precision: present<Plan['precision']>({ weights: compute, compute, gradients: compute }),
  };
}

function strategySections(source: Source, named: boolean): Sections {
  const type = source.text('distributed_type')?.toUpperCase();
  const compute = computeOf(source);
  if (type === 'FSDP')
    return overlaid(fsdpSections(source, FSDP), {
      ...NO_SECTIONS,
      precision: compute?.value === 'F32' ? { weights: compute, compute } : fsdpPrecision(compute),
    });
  if (type === 'DEEPSPEED') return named ? deepSpeedSections(source, DEEPSPEED) : pluginSections(source);
  if (type === 'MEGATRON_LM') return NO_SECTIONS;
  return {
    ...NO_SECTIONS,
    optimizer: {
      stack: byDefault('ddp', 'data parallelism without sharding'),
      zeroStage: byDefault(0, 'nothing is sharded'),
    },
    precision: present<Plan['precision']>({
      weights: compute === undefined ? undefined : byDefault<DType>('F32', 'autocast over FP32 weights'),
      compute,
      masterWeights: compute === undefined ? undefined : byDefault('none', 'the weights are FP32'),
    }),
    details: compute !== undefined && compute.value !== 'F32' ? { autocast: true } : {},
  };
}

/** Sections whose keys Accelerate passes on by name; others fall through unread. */
const SECTIONS = ['deepspeed_config', 'fsdp_config', 'parallelism_config', 'fp8_config'];

function keyFindings(root: MapNode): Finding[] {
  const top = Object.keys(accelerateSchema.properties ?? {});
  const unknown = root.entries.flatMap((entry): Finding[] => {
    if (accelerateSchema.properties?.[entry.key] !== undefined) return [];
    const meant = closest(entry.key, top);
    return [
      remark({
        rule: 'unknown-key',
        severity: meant === undefined ? 'warning' : 'error',
        at: keyPlaceOf(entry),
        source: accelerateFile('src/accelerate/commands/config/config_args.py', 'BaseConfig.from_yaml_file'),
        message: `\`${entry.key}\` is no key of an Accelerate configuration, which refuses unknown ones${meant === undefined ? '.' : `; did you mean \`${meant}\`?`}`,
        ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
      }),
    ];
  });
  const nested = root.entries.flatMap(({ key: section, value }): Finding[] => {
    const known = accelerateSchema.properties?.[section]?.properties;
    if (!SECTIONS.includes(section) || value.kind !== 'map' || known === undefined) return [];
    return value.entries
      .filter(({ key }) => known[key] === undefined && known[`fsdp_${key}`] === undefined)
      .map((entry) => {
        const meant = closest(entry.key, Object.keys(known));
        return remark({
          rule: 'unknown-key',
          severity: meant === undefined ? 'information' : 'warning',
          at: keyPlaceOf(entry),
          source: accelerateFile('src/accelerate/commands/launch.py', '_validate_launch_command'),
          message: `Accelerate reads no \`${entry.key}\` in \`${section}\` and passes over it without a word${meant === undefined ? '.' : `; did you mean \`${meant}\`?`}`,
          ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
        });
      });
  });
  return [...unknown, ...nested];
}

const HIDDEN: readonly (readonly [string, string])[] = [
  ['layout.worldSize', 'num_processes'],
  ['layout.tensor', 'parallelism_config.parallelism_config_tp_size'],
  ['layout.context', 'parallelism_config.parallelism_config_cp_size'],
  ['optimizer.zeroStage', 'deepspeed_config.zero_stage'],
];

/** Reads a launch configuration of Accelerate, with the DeepSpeed file that it may name. */
export function readAccelerate(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('accelerate', NO_SECTIONS), findings: [], references: [] };
  const own = layered([{ root, prefix: '' }]);
  const named = deepSpeedBeside(own, 'deepspeed_config.deepspeed_config_file', read);
  const source = layered([{ root, prefix: '' }, ...named.layers]);
  const used = source.entry('deepspeed_config.deepspeed_config_file') !== undefined;
  const sections = overlaid(
    {
      ...NO_SECTIONS,
      layout: meshOf(source),
      cluster: clusterOf(source),
      unresolved: [...hidden(source, HIDDEN), ...named.unresolved],
    },
    strategySections(source, used),
  );
  return {
    plan: trainingPlan('accelerate', sections),
    ...(named.layers.length === 0 ? {} : { complete: completeDeepSpeed(source, DEEPSPEED) }),
    findings: [...keyFindings(root), ...checkSource(accelerateConditions, source)],
    check: (resolved) => layerClassFindings(source, LAYER_CLASS, resolved),
    references: named.references,
  };
}
