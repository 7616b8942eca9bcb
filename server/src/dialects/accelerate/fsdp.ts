import type { DType } from '../../engine/spec/numbers';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan, Sourced } from '../../plan/plan';
import { byDefault, present } from '../common/sourced';
import { NO_SECTIONS, type Sections } from '../deepspeed/sections';
import { follows, taken, type Source } from '../deepspeed/source';

/** FSDP options under one prefix, with or without `fsdp_` in front of each. */
export interface FsdpNames {
  readonly section: string;
  readonly version: readonly string[];
}

/** The first spelling of an option that the file gives. */
export function fsdpKey(source: Source, { section }: FsdpNames, option: string): string {
  const plain = `${section}.${option}`;
  const prefixed = `${section}.fsdp_${option}`;
  return source.entry(prefixed) === undefined && source.entry(plain) !== undefined ? plain : prefixed;
}

/** 1 or 2; FSDP1 where nothing says. Undefined for an interpolation. */
export function fsdpVersion(source: Source, names: FsdpNames): 1 | 2 | undefined {
  const name = names.version.find((key) => source.entry(key) !== undefined);
  if (name === undefined) return 1;
  const version = source.integer(name);
  return version === 1 || version === 2 ? version : undefined;
}

/** FSDP1's strategies by name and by number (torch.distributed.fsdp.ShardingStrategy). */
const STRATEGIES = ['FULL_SHARD', 'SHARD_GRAD_OP', 'NO_SHARD', 'HYBRID_SHARD', 'HYBRID_SHARD_ZERO2'] as const;

export type Strategy = (typeof STRATEGIES)[number];

export function strategyOf(word: string | undefined): Strategy | undefined {
  if (word === undefined) return undefined;
  const upper = word.toUpperCase();
  return STRATEGIES.find((name, index) => name === upper || String(index + 1) === word);
}

const STAGE: Readonly<Record<Strategy, 0 | 2 | 3>> = {
  FULL_SHARD: 3,
  HYBRID_SHARD: 3,
  SHARD_GRAD_OP: 2,
  HYBRID_SHARD_ZERO2: 2,
  NO_SHARD: 0,
};

function sharding(
  source: Source,
  names: FsdpNames,
  version: 1 | 2,
): Pick<Plan['optimizer'], 'zeroStage' | 'reshardAfterForward'> {
  const reshard = fsdpKey(source, names, 'reshard_after_forward');
  if (version === 2) {
    const flag = source.flag(reshard);
    return {
      zeroStage: byDefault(3, 'FSDP2 shards parameters, gradients and states'),
      reshardAfterForward: taken(source, reshard, flag) ?? byDefault(true, "Accelerate's default"),
    };
  }
  const named = [fsdpKey(source, names, 'sharding_strategy'), reshard].find(
    (key) => strategyOf(source.text(key)) !== undefined,
  );
  const strategy = named === undefined ? 'FULL_SHARD' : (strategyOf(source.text(named)) ?? 'FULL_SHARD');
  const note = `sharding strategy ${strategy}`;
  const from = <T>(value: T): Sourced<T> =>
    (named === undefined ? undefined : follows(source, named, value, note)) ?? byDefault(value, note);
  return { zeroStage: from(STAGE[strategy]), reshardAfterForward: from(STAGE[strategy] === 3) };
}

/** What FSDP options say, in the terms of a plan. */
export function fsdpSections(source: Source, names: FsdpNames): Sections {
  const version = fsdpVersion(source, names);
  if (version === undefined) return NO_SECTIONS;
  const offload = fsdpKey(source, names, 'offload_params');
  const recompute = fsdpKey(source, names, 'activation_checkpointing');
  const flag = source.flag(offload);
  return {
    ...NO_SECTIONS,
    optimizer: present<Plan['optimizer']>({
      stack: byDefault(version === 2 ? 'fsdp2' : 'fsdp1', version === 2 ? 'FSDP2' : 'FSDP1'),
      ...sharding(source, names, version),
      offloadParameters: taken(source, offload, flag),
      offloadOptimizer:
        flag === undefined ? undefined : follows(source, offload, flag, 'FSDP steps where the parameters are'),
    }),
    recompute:
      source.flag(recompute) === true
        ? ({
            granularity: follows(source, recompute, 'full' as const, 'FSDP wraps every layer in a checkpoint'),
          } as Plan['recompute'])
        : {},
    details: present<TrainingDetails>({ modelCode: 'transformers' }),
  };
}

/**
 * Weights under FSDP with mixed precision: kept in FP32, gathered and reduced in the half format.
 * Source: huggingface/accelerate, src/accelerate/accelerator.py, `prepare_model`; utils/fsdp_utils.py, `fsdp2_prepare_model`.
 */
export function fsdpPrecision(compute: Sourced<DType> | undefined): Plan['precision'] {
  return present<Plan['precision']>({
    weights: byDefault<DType>('F32', 'FSDP keeps trained weights in FP32 under mixed precision'),
    compute,
    masterWeights: byDefault('none', 'the sharded weights are the master weights'),
  });
}

/** The Trainer's words for FSDP, such as `full_shard auto_wrap offload`. */
export function wordsOfFsdp(source: Source, names: FsdpNames): Sections {
  const words = source.words('fsdp') ?? [];
  const strategy = words.map(strategyOf).find((found) => found !== undefined);
  const stated = strategy === undefined || source.entry(fsdpKey(source, names, 'sharding_strategy')) !== undefined;
  const stage = strategy === undefined ? 3 : STAGE[strategy];
  const offload = words.includes('offload') ? taken(source, 'fsdp', true) : undefined;
  return {
    ...NO_SECTIONS,
    optimizer: present<Plan['optimizer']>({
      zeroStage: stated ? undefined : taken(source, 'fsdp', stage),
      reshardAfterForward: stated ? undefined : taken(source, 'fsdp', stage === 3),
      offloadParameters: offload,
      offloadOptimizer: offload,
    }),
  };
}
