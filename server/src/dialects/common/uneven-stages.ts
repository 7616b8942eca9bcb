import type { Plan, Planned, Sourced } from '../../plan/plan';
import type { ModelSpec } from '../../engine/model/spec';
import { follows, taken, type Source } from '../deepspeed/source';

/** Keys of a Megatron pipeline whose first and last stage hold other numbers of layers than the rest. */
export interface StageKeys {
  readonly pipeline: string;
  readonly first: string;
  readonly last: string;
}

/** True where the file fixes the layers of the first or the last stage. */
export function hasUnevenStages(source: Source, { first, last }: StageKeys): boolean {
  return [first, last].some((key) => source.entry(key) !== undefined);
}

/**
 * Layers of each stage: what is stated at the ends, and an equal share of the rest between.
 * Source: NVIDIA/Megatron-LM, megatron/core/transformer/transformer_block.py, `get_num_layers_to_build`.
 */
export function stageLayers(
  stages: number,
  layers: number,
  first: number | undefined,
  last: number | undefined,
): readonly number[] | undefined {
  const between = stages - (first === undefined ? 0 : 1) - (last === undefined ? 0 : 1);
  const rest = layers - (first ?? 0) - (last ?? 0);
  if (between < 0 || rest < 0 || stages < 2 || stages > 1024) return undefined;
  if (between === 0) return rest === 0 ? [first ?? 0, last ?? 0] : undefined;
  if (rest % between !== 0) return undefined;
  const inner = Array.from({ length: between }, () => rest / between);
  return [...(first === undefined ? [] : [first]), ...inner, ...(last === undefined ? [] : [last])];
}

/** The plan with its pipeline, once the model's layers are known; unchanged where they do not work out. */
export function withStages(source: Source, keys: StageKeys, plan: Plan, model: Planned<ModelSpec>): Plan {
  const stages = source.integer(keys.pipeline);
  const layers = model.layers?.value;
  if (!hasUnevenStages(source, keys) || stages === undefined || layers === undefined) return plan;
  const split = stageLayers(stages, layers, source.integer(keys.first), source.integer(keys.last));
  const given = source.entry(keys.first) === undefined ? keys.last : keys.first;
  const pipeline: Sourced<number> | undefined = taken(source, keys.pipeline, stages);
  const listed = follows(source, given, split, 'stated stages, and an equal share between');
  if (split === undefined || pipeline === undefined || listed === undefined) return plan;
  return {
    ...plan,
    layout: { ...plan.layout, pipeline, stageLayers: listed },
    unresolved: plan.unresolved.filter(({ path }) => path !== 'layout.pipeline'),
  };
}
