import type { Plan, Sourced } from '../../plan/plan';
import { byDefault, present } from '../common/sourced';
import { DEEPSPEED } from '../deepspeed/companion';
import { deepSpeedSections } from '../deepspeed/plan';
import { NO_SECTIONS, overlaid, type Sections } from '../deepspeed/sections';
import { hidden, taken, type Source } from '../deepspeed/source';
import { adapterDetails, modelName } from '../trl/trainer';
import { quantizedBase, shardedPrecision } from './precision';

/** True for the sectioned form, whose model stands under `model`. */
export function isFirst(source: Source): boolean {
  return source.entry('model') !== undefined && source.entry('model_name_or_path') === undefined;
}

function layoutOf(source: Source): Plan['layout'] {
  const size = (name: string): Sourced<number> | undefined => {
    const value = source.integer(name);
    return value === undefined || value < 1 ? undefined : taken(source, name, value);
  };
  return present<Plan['layout']>({
    context: size('cp_size'),
    dataShard: size('mp_shard_size'),
    dataReplicate: size('mp_replicate_size'),
    expert: size('dist_config.ep_size'),
  });
}

function common(source: Source): Sections {
  const name = source.text('model');
  const again = source.flag('enable_activation_checkpointing');
  const granularity = again === false ? ('none' as const) : ('full' as const);
  const kind = source.text('optim_config.name')?.toLowerCase();
  const lora = source.text('peft_config.name') === 'lora';
  return {
    ...NO_SECTIONS,
    model: present<Plan['model']>({ name: name === undefined ? undefined : modelName(source, 'model', name) }),
    layout: layoutOf(source),
    batch: present<Plan['batch']>({
      microBatch:
        taken(source, 'micro_batch_size', source.integer('micro_batch_size')) ??
        byDefault(1, "the framework's default"),
      globalBatch: taken(source, 'global_batch_size', source.integer('global_batch_size')),
      sequenceLength:
        taken(source, 'cutoff_len', source.integer('cutoff_len')) ?? byDefault(2048, "the framework's default"),
    }),
    recompute: {
      granularity:
        taken(source, 'enable_activation_checkpointing', again === undefined ? undefined : granularity) ??
        byDefault(granularity, "the framework's default"),
    },
    optimizer: present<Plan['optimizer']>({
      kind: taken(
        source,
        'optim_config.name',
        kind === 'muon' ? 'muon' : kind?.includes('adam') === true ? 'adam' : undefined,
      ),
    }),
    details: {
      modelCode: 'transformers',
      ...(lora
        ? adapterDetails(source, { rank: 'peft_config.r', targets: 'peft_config.target_modules', otherwise: 8 })
        : {}),
      ...quantizedBase(source, 'quant_config.quantization_bit', 'quant_config.'),
    },
    unresolved: hidden(source, [
      ['model.name', 'model'],
      ['batch.microBatch', 'micro_batch_size'],
      ['batch.sequenceLength', 'cutoff_len'],
      ['layout.context', 'cp_size'],
    ]),
  };
}

/** The plan of LLaMA-Factory's sectioned form: FSDP2 unless `dist_config` names something else. */
export function readFirst(source: Source): Sections {
  const name = source.text('dist_config.name');
  const base = common(source);
  if (name === 'deepspeed') return overlaid(base, deepSpeedSections(source, DEEPSPEED));
  const sharded = name?.startsWith('fsdp') === true;
  const reshard = source.flag('dist_config.reshard_after_forward');
  const offload = source.flag('dist_config.offload_params');
  return overlaid(base, {
    ...NO_SECTIONS,
    precision: shardedPrecision(source),
    optimizer: present<Plan['optimizer']>({
      stack: sharded ? taken(source, 'dist_config.name', 'fsdp2') : byDefault('ddp', 'no sharding is asked for'),
      zeroStage: sharded
        ? byDefault(3, 'FSDP2 shards parameters, gradients and states')
        : byDefault(0, 'nothing is sharded'),
      reshardAfterForward: taken(source, 'dist_config.reshard_after_forward', reshard),
      offloadParameters: taken(source, 'dist_config.offload_params', offload),
      offloadOptimizer: taken(source, 'dist_config.offload_params', offload),
    }),
  });
}
