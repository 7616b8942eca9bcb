import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { statedWorld } from '../../plan/resolve-layout';
import { largestDivisor } from '../../plan/rules/rule-context';
import { deepSpeedFile } from './framework';
import { placeIn, type Source } from './source';

const SOURCE = deepSpeedFile('deepspeed/runtime/config.py', 'DeepSpeedConfig._batch_assertion');

function mismatch(source: Source, prefix: string, message: string): Finding[] {
  const names = ['train_batch_size', 'train_micro_batch_size_per_gpu', 'gradient_accumulation_steps'];
  const places = names.flatMap((name) => {
    const at = placeIn(source, prefix === '' ? name : `${prefix}.${name}`);
    return at === undefined ? [] : [{ at, message: `\`${name}\` stands here` }];
  });
  const first = places.find(({ at }) => at.uri === undefined);
  if (first === undefined) return [];
  const related = places.filter((place) => place !== first);
  return [{ rule: 'batch-product', severity: 'error', message, source: SOURCE, at: first.at, related }];
}

/** Ranks among which the batch is shared out: whole replicas of whatever tensor, sequence and pipeline split the file or the script makes. */
function fitsWorld(ranks: number, world: number): boolean {
  return Number.isInteger(ranks) && ranks >= 1 && ranks <= world && world % ranks === 0;
}

/**
 * The batch sizes against each other and, where the number of GPUs is known, against the world.
 * Model parallelism set in code shrinks the data-parallel world, so any whole divisor of the GPUs is let through.
 */
export function batchFindings(source: Source, resolved: ResolvedPlan, prefix = ''): Finding[] {
  const number = (name: string): number | undefined => source.integer(prefix === '' ? name : `${prefix}.${name}`);
  const batch = number('train_batch_size');
  const micro = number('train_micro_batch_size_per_gpu');
  const steps = number('gradient_accumulation_steps');
  if (batch === undefined || batch < 1) return [];
  const pass = (micro ?? 1) * (steps ?? 1);
  if (pass < 1) return [];
  const stated = resolved.plan.cluster.gpus ?? resolved.plan.layout.worldSize ?? resolved.plan.cluster.nodes;
  const world = stated === undefined || stated.origin === 'assumed' ? undefined : statedWorld(resolved.plan);
  if (micro !== undefined && steps !== undefined) {
    const ranks = batch / pass;
    const written = `train_batch_size ${batch} is not micro batch ${micro} × accumulation ${steps}`;
    if (!Number.isInteger(ranks)) {
      const near = Math.max(1, Math.round(ranks)) * pass;
      return mismatch(
        source,
        prefix,
        `${written} = ${pass} times a number of ranks; the nearest batch that is, is ${near}.`,
      );
    }
    if (world === undefined || fitsWorld(ranks, world)) return [];
    return mismatch(
      source,
      prefix,
      `${written} × ${world} GPUs = ${pass * world}; DeepSpeed stops on that. For ${world} GPUs write ${pass * world}, or leave one of the three out.`,
    );
  }
  if (world === undefined || micro !== undefined || steps !== undefined || batch >= world) return [];
  return mismatch(
    source,
    prefix,
    `train_batch_size ${batch} is less than the ${world} GPUs: a rank's share would be 0, which DeepSpeed refuses.`,
  );
}

/** AutoEP shares whole experts out, so its size divides their number. */
export function expertFindings(source: Source, resolved: ResolvedPlan): Finding[] {
  const size = source.integer('expert_parallel.autoep_size');
  const experts = resolved.model?.experts;
  const at = placeIn(source, 'expert_parallel.autoep_size');
  const off = source.flag('expert_parallel.enabled') === false;
  if (off || size === undefined || size < 1 || at === undefined || experts === undefined || experts < 1) return [];
  if (size <= experts && experts % size === 0) return [];
  const nearest = largestDivisor(experts, size);
  return [
    {
      rule: 'experts-not-divisible',
      severity: 'error',
      at,
      source: deepSpeedFile('deepspeed/module_inject/auto_ep_config.py', 'validate_autoep_post_detection'),
      message: `autoep_size ${size} does not divide the ${experts} experts; ${nearest} does.`,
    },
  ];
}
