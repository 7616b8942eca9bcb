import type { DType } from '../../engine/spec/numbers';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan, Sourced } from '../../plan/plan';
import { byDefault, present } from '../common/sourced';
import { follows, taken, type Source } from '../deepspeed/source';

/** The half format that autocast or the loader uses, with the key that says so. */
function half(source: Source): Sourced<DType> | undefined {
  if (source.flag('bf16') === true) return taken(source, 'bf16', 'BF16');
  return source.flag('fp16') === true ? taken(source, 'fp16', 'F16') : undefined;
}

/**
 * Formats without DeepSpeed: weights that train are FP32 unless `pure_bf16`, weights that stay frozen keep the compute format.
 * Source: hiyouga/LLaMA-Factory, src/llamafactory/model/adapter.py, `init_adapter`.
 */
export function classicPrecision(
  source: Source,
  adapters: boolean,
): Pick<Plan, 'precision'> & { details: TrainingDetails } {
  const compute = half(source);
  if (source.flag('pure_bf16') === true) {
    const pure = taken<DType>(source, 'pure_bf16', 'BF16');
    const states = byDefault<DType>('BF16', 'gradients and states take the format of the weights');
    return {
      precision: present<Plan['precision']>({
        weights: pure,
        compute: pure,
        gradients: states,
        masterWeights: byDefault('none', 'the Trainer keeps no second copy of the weights'),
        firstMoment: states,
        secondMoment: states,
      }),
      details: {},
    };
  }
  const none = byDefault('none' as const, 'the Trainer keeps no second copy of the weights');
  if (adapters)
    return {
      precision: present<Plan['precision']>({
        weights: compute ?? byDefault<DType>('BF16', 'frozen weights keep the format of the checkpoint'),
        compute,
        masterWeights: none,
      }),
      details: {},
    };
  return {
    precision: present<Plan['precision']>({
      weights: byDefault<DType>('F32', 'weights that train are raised to FP32'),
      compute: compute ?? byDefault<DType>('F32', 'no mixed precision is asked for'),
      masterWeights: none,
    }),
    details: compute === undefined ? {} : { autocast: true },
  };
}

/** Bytes an element of a base weight that bitsandbytes, HQQ or EETQ stores. */
function baseBytes(bits: number, method: string, double: boolean): number {
  if (method === 'hqq') return bits / 8 + 4 / 64;
  if (bits === 8) return 1;
  return double ? bits / 8 + 1 / 64 + 4 / (64 * 256) : bits / 8 + 4 / 64;
}

/** Frozen weights that are quantized while they are loaded. */
export function quantizedBase(source: Source, key = 'quantization_bit', section = ''): TrainingDetails {
  const bits = source.integer(key);
  if (bits === undefined || bits < 1 || bits > 8) return {};
  const method = source.text('quantization_method')?.toLowerCase() ?? 'bnb';
  return {
    quantizedBase: true,
    baseBytes: baseBytes(bits, method, source.flag(`${section}double_quantization`) !== false),
  };
}

/**
 * Formats of an FSDP2 job of the v1 form: shards in the checkpoint's format, gathered in BF16, reduced in FP32.
 * Source: hiyouga/LLaMA-Factory, src/llamafactory/v1/plugins/trainer_plugins/distributed/fsdp2.py, `FSDP2Engine.get_mp_policy`.
 */
export function shardedPrecision(source: Source): Plan['precision'] {
  const states = byDefault<DType>('BF16', 'states take the format of the sharded weights');
  return present<Plan['precision']>({
    weights: byDefault<DType>('BF16', 'weights are sharded in the format of the checkpoint'),
    compute:
      source.flag('bf16') === false
        ? follows<DType>(source, 'bf16', 'F32', 'bf16 false')
        : (taken<DType>(source, 'bf16', 'BF16') ?? byDefault<DType>('BF16', "the framework's default")),
    gradients: states,
    masterWeights: byDefault('none', 'the sharded weights are the master weights'),
    firstMoment: states,
    secondMoment: states,
  });
}
