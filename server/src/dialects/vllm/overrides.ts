import type { ModelSpec } from '../../engine/model/spec';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import type { MapNode } from '../../syntax/tree';
import { entryOf, integerOf, mapOf, numberOf, textOf } from '../common/nodes';
import { derived, written } from '../common/sourced';
import type { VllmArguments } from './values';

/** Fields of a config.json that `--hf-overrides` commonly replaces, with what each is here. */
const FIELDS = {
  num_hidden_layers: 'layers',
  hidden_size: 'hiddenSize',
  intermediate_size: 'intermediateSize',
  vocab_size: 'vocabSize',
  num_attention_heads: 'heads',
  num_key_value_heads: 'kvHeads',
  max_position_embeddings: 'maxPositions',
  num_experts: 'experts',
  n_routed_experts: 'experts',
  num_local_experts: 'experts',
  num_experts_per_tok: 'expertsPerToken',
  moe_intermediate_size: 'expertIntermediateSize',
} as const satisfies Readonly<Record<string, keyof ModelSpec>>;

/** Lists with one entry a layer, which a change of the number of layers cuts. */
const PER_LAYER = ['moeLayers', 'slidingLayers', 'mixers', 'feedForwardLayers', 'indexerLayers'] as const;

function replaced(map: MapNode | undefined): Planned<ModelSpec> {
  const found = Object.entries(FIELDS).flatMap(([name, field]) => {
    const entry = entryOf(map, name);
    const value = integerOf(entry?.value);
    return entry === undefined || value === undefined || value < 1 ? [] : [[field, written(value, entry)] as const];
  });
  return Object.fromEntries(found) as Planned<ModelSpec>;
}

function cut<T>(list: Sourced<readonly T[]> | undefined, layers: number): Sourced<readonly T[]> | undefined {
  return list === undefined || list.value.length <= layers
    ? list
    : { ...list, value: list.value.slice(0, layers), note: 'cut to the layers that hf-overrides leaves' };
}

function withoutLayers(model: Planned<ModelSpec>, layers: number): Planned<ModelSpec> {
  const lists = PER_LAYER.flatMap((key) => {
    const list = cut(model[key] as Sourced<readonly unknown[]> | undefined, layers);
    return list === undefined ? [] : [[key, list] as const];
  });
  return { ...model, ...Object.fromEntries(lists) } as Planned<ModelSpec>;
}

/** Positions that a scaling of rotary embeddings leads to. Source: vllm/config/model.py, `_get_and_verify_max_len`. */
function scaledPositions(args: VllmArguments, model: Planned<ModelSpec>): Sourced<number> | undefined {
  const overrides = args.map('hf-overrides');
  const scaling = mapOf(overrides, 'rope_scaling') ?? mapOf(overrides, 'rope_parameters') ?? args.map('rope-scaling');
  const factorEntry = entryOf(scaling, 'factor');
  const factor = numberOf(factorEntry?.value);
  const kind = textOf(entryOf(scaling, 'rope_type')?.value) ?? textOf(entryOf(scaling, 'type')?.value) ?? '';
  // These kinds say what the model's own length already contains.
  if (factorEntry === undefined || factor === undefined || ['llama3', 'longrope', 'su', 'mrope'].includes(kind))
    return undefined;
  const original = integerOf(entryOf(scaling, 'original_max_position_embeddings')?.value) ?? model.maxPositions?.value;
  const positions = original === undefined ? undefined : Math.floor(original * factor);
  return positions === undefined || positions < 1 || !Number.isSafeInteger(positions)
    ? undefined
    : derived(positions, `positions × ${factor} of the scaling`, factorEntry);
}

/** The model that vLLM builds: its config.json with what `--hf-overrides` puts over it, at the top or in `text_config`. */
export function overriddenModel(plan: Plan, args: VllmArguments): Planned<ModelSpec> {
  const overrides = args.map('hf-overrides');
  const own = { ...replaced(overrides), ...replaced(mapOf(overrides, 'text_config')) };
  const model: Planned<ModelSpec> = { ...plan.model, ...own };
  const positions = scaledPositions(args, model);
  const whole = positions === undefined ? model : { ...model, maxPositions: positions };
  return own.layers === undefined ? whole : withoutLayers(whole, own.layers.value);
}
