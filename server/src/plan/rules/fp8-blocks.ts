import type { ModelSpec } from '../../engine/model/spec';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { QuantizationSpec } from '../../engine/spec/numbers';
import type { ServingSpec } from '../../engine/spec/serving';
import type { Finding } from '../finding';
import type { Plan, Sourced } from '../plan';
import {
  advice,
  finding,
  nearest,
  placed,
  setFixes,
  sglang,
  stated,
  vllm,
  type Enforcement,
  type PlanRule,
} from './rule-context';

const BLOCKS: Readonly<Record<string, Enforcement>> = {
  sglang: {
    severity: 'error',
    source: sglang('layers/quantization/fp8.py', 'Fp8LinearMethod.create_weights, Fp8MoEMethod.create_weights'),
  },
  vllm: {
    severity: 'error',
    source: vllm('model_executor/layers/quantization/utils/fp8_utils.py', 'validate_fp8_block_shape'),
  },
  shardlens: { severity: 'warning' },
};

/** One width that quantization blocks have to tile after it is cut into parts. */
export interface Tile {
  readonly what: string;
  readonly size: number;
  readonly parts: number;
  /** Where the width comes from, for the place to name beside the degree. */
  readonly field: 'expertIntermediateSize' | 'intermediateSize' | 'heads' | 'linearValueHeads';
}

/** What decides the parts of one server. */
export interface Sharding {
  readonly model: ModelSpec;
  readonly layout: LayoutSpec;
  readonly serving?: Pick<ServingSpec, 'stack' | 'denseTensor' | 'sharedTensor'>;
}

/** Ranks that share one routed expert: SGLang takes them out of the tensor-parallel world, vLLM slices over all engines. */
function expertParts({ layout, serving }: Sharding): number {
  if (serving === undefined || serving.stack === 'vllm') return layout.expertTensor;
  return Math.max(1, layout.tensor / layout.expert);
}

/** Inner widths of feed-forward layers, with the degree that shards each. */
export function feedForwardTiles(sharding: Sharding): Tile[] {
  const { model, layout, serving } = sharding;
  const isMoe = (model.experts ?? 0) > 0;
  const tiles: Tile[] = [];
  if (!isMoe || (model.moeLayers?.includes(false) ?? false))
    tiles.push({
      what: 'intermediate size',
      size: model.intermediateSize,
      parts: serving?.denseTensor ?? layout.tensor,
      field: 'intermediateSize',
    });
  if (isMoe && model.expertIntermediateSize !== undefined)
    tiles.push({
      what: 'expert intermediate size',
      size: model.expertIntermediateSize,
      parts: expertParts(sharding),
      field: 'expertIntermediateSize',
    });
  return tiles;
}

function sharedTile({ model, layout, serving }: Sharding): Tile[] {
  const shared = model.sharedExperts ?? 0;
  const size = model.sharedExpertIntermediateSize ?? shared * (model.expertIntermediateSize ?? 0);
  if (serving === undefined || shared <= 0 || size <= 0) return [];
  // All-to-all backends keep shared experts whole on every rank; without a word about it, wide expert parallelism may be one of them.
  const wide = layout.expert > 1 && (layout.data > 1 || layout.expert === layout.tensor);
  if (serving.sharedTensor === undefined && wide) return [];
  const parts = serving.sharedTensor ?? layout.tensor;
  return [{ what: 'shared expert width', size, parts, field: 'expertIntermediateSize' }];
}

/** Projections of attention that are cut by heads. */
function attentionTiles({ model, layout }: Sharding): Tile[] {
  const parts = layout.attentionData > 1 ? layout.tensor / layout.attentionData : layout.tensor;
  if (!Number.isInteger(parts) || parts <= 1 || model.heads % parts !== 0) return [];
  const tile = (what: string, size: number): Tile => ({ what, size, parts, field: 'heads' });
  if (model.attention === 'mla') {
    const query = (model.qkNopeHeadDim ?? 0) + (model.qkRopeHeadDim ?? 0);
    return [
      tile('query width', model.heads * query),
      tile('attention output width', model.heads * (model.vHeadDim ?? model.headDim)),
    ];
  }
  const keys = Math.max(model.kvHeads, parts);
  return [
    tile('query width', model.heads * model.headDim * (model.attentionGate === true ? 2 : 1)),
    tile('key width', keys * model.headDim),
  ];
}

/** The gates of a linear-attention block are one number a head: no block fits them. vLLM keeps them in 16 bits whatever the checkpoint says. */
function gateTiles({ model, layout, serving }: Sharding): Tile[] {
  const size = model.linearValueHeads ?? 0;
  return size > 0 && layout.tensor > 1 && serving?.stack === 'sglang'
    ? [{ what: 'linear attention gate (in_proj_b)', size, parts: layout.tensor, field: 'linearValueHeads' }]
    : [];
}

/** False where the checkpoint keeps the modules that hold one of `words` in 16 bits. */
export function isQuantized({ excluded, included }: QuantizationSpec, words: RegExp): boolean {
  if (excluded?.some((pattern) => words.test(pattern)) === true) return false;
  return included === undefined || included.some((pattern) => words.test(pattern));
}

function servedTiles(sharding: Sharding, quantization: QuantizationSpec): Tile[] {
  const kept = (words: RegExp, tiles: readonly Tile[]): readonly Tile[] =>
    isQuantized(quantization, words) ? tiles : [];
  return [
    ...feedForwardTiles(sharding),
    ...kept(/shared_expert/, sharedTile(sharding)),
    ...kept(/attn|attention|[qkvo]_proj|[qk]_b_proj/, attentionTiles(sharding)),
    ...kept(/in_proj_[ab]|linear_attn|in_proj_ba/, gateTiles(sharding)),
  ];
}

function fits({ size, parts }: Tile, block: number): boolean {
  const shard = size / parts;
  return !Number.isInteger(parts) || (Number.isInteger(shard) && shard % block === 0);
}

/** The same server over `tensor` ranks, with whatever follows from them. */
function resharded(sharding: Sharding, tensor: number): Sharding {
  const { layout } = sharding;
  const sliced = layout.expertTensor % layout.tensor === 0;
  const expertTensor = sliced ? (layout.expertTensor / layout.tensor) * tensor : layout.expertTensor;
  return { ...sharding, layout: { ...layout, tensor, expertTensor } };
}

/** Tensor-parallel degrees near the written one that fit every tile and the heads. */
function legalDegrees(sharding: Sharding, tilesOf: (at: Sharding) => readonly Tile[], block: number): number[] {
  const { model, layout } = sharding;
  const most = Math.min(model.heads * layout.attentionData, 1024);
  const degrees = Array.from({ length: most }, (_, index) => index + 1).filter((tensor) => {
    if (tensor % layout.attentionData !== 0 || model.heads % (tensor / layout.attentionData) !== 0) return false;
    if (sharding.serving?.stack !== 'vllm' && tensor % layout.expert !== 0) return false;
    return tilesOf(resharded(sharding, tensor)).every((tile) => fits(tile, block));
  });
  return nearest(layout.tensor, degrees);
}

function settingOf(plan: Plan, tile: Tile): Sourced<number> | undefined {
  const trainsExperts = plan.task === 'training' && tile.field === 'expertIntermediateSize';
  return trainsExperts ? plan.layout.expertTensor : plan.layout.tensor;
}

/** What helps beside another degree. */
function hintFor(plan: Plan, layout: LayoutSpec, tile: Tile, block: number): string {
  if (plan.task !== 'serving') return '';
  if (tile.field === 'linearValueHeads') return ', or keep in_proj_a and in_proj_b out of quantization';
  const routed = tile.what === 'expert intermediate size' && tile.parts > 1 && tile.size % block === 0;
  if (!routed) return '';
  if (plan.dialect === 'vllm') return ', or enable-expert-parallel keeps experts whole';
  return layout.expert < layout.tensor ? ', or raise expert parallelism so that fewer ranks share one expert' : '';
}

function tileFinding(plan: Plan, sharding: Sharding, tile: Tile, context: { block: number; near: number[] }): Finding {
  const own = BLOCKS[plan.dialect] ?? { severity: 'warning' };
  // Whether the gates are quantized at all depends on how the release matches module names.
  const enforcement: Enforcement = tile.field === 'linearValueHeads' ? { ...own, severity: 'warning' } : own;
  const { layout } = sharding;
  const shard = tile.size / tile.parts;
  const setting = settingOf(plan, tile);
  const hint = hintFor(plan, layout, tile, context.block);
  const message = `${tile.what} ${tile.size} / ${tile.parts} = ${Number.isInteger(shard) ? shard : shard.toFixed(1)} is not a multiple of the FP8 block size ${context.block}${advice(context.near)} for ${setting?.label ?? 'tensor parallelism'}${hint}.`;
  return finding(fp8BlockMisaligned, enforcement, message, {
    ...placed([
      { value: setting, says: 'the degree that shards it' },
      { value: plan.model[tile.field], says: tile.what },
    ]),
    ...setFixes(setting, 'tensor parallelism', context.near),
  });
}

export const fp8BlockMisaligned: PlanRule = {
  id: 'fp8-block-misaligned',
  title: 'A weight sharded by tensor parallelism no longer tiles into its FP8 quantization blocks.',
  severity: 'error',
  check: ({ plan, resolved: { model, layout, quantization, serving, precision } }) => {
    if (BLOCKS[plan.dialect] === undefined || model === undefined || layout === undefined) return [];
    if (!stated(plan.layout.tensor)) return [];
    const training = plan.task === 'training' && precision.fp8Recipe === 'blockwise';
    const serves = plan.task === 'serving' && quantization.method === 'fp8-block';
    if (!training && !serves) return [];
    const block = quantization.blockColumns ?? 128;
    const sharding: Sharding = { model, layout, ...(serving === undefined ? {} : { serving }) };
    const tilesOf = (at: Sharding): readonly Tile[] => (serves ? servedTiles(at, quantization) : feedForwardTiles(at));
    const wrong = tilesOf(sharding).filter((tile) => !fits(tile, block));
    const near = wrong.length === 0 ? [] : legalDegrees(sharding, tilesOf, block);
    return wrong.map((tile) => tileFinding(plan, sharding, tile, { block, near }));
  },
};
