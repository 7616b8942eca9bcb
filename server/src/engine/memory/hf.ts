import type { RankRange } from '../layout/rank-grid';
import type { StageContent } from '../layout/stages';
import type { Store } from './autograd';
import { deepspeedStrategy } from './hf-deepspeed';
import { fsdpStrategy, shardPositions } from './hf-fsdp';
import type { HfMoment, HfPlan } from './hf-plan';
import { planHf } from './hf-plan';
import { plainStrategy } from './hf-plain';
import type { HfStrategy } from './hf-strategy';
import type { TrainingInput } from './input';
import type { Ledger, RankMemory } from './ledger';
import { MIB, newLedger, num, put } from './ledger';
import { stageWeights } from './weights';

/** A transformers job with the way its states are shared out. */
export interface HfJob {
  readonly plan: HfPlan;
  readonly strategy: HfStrategy;
}

/** Ranks beyond which uneven shards are not listed one group at a time. */
const LARGEST_LISTED = 65_536;

/** True where the estimate follows transformers' model code. */
export function usesTransformers(input: TrainingInput): boolean {
  const { details, layout, optimizer } = input;
  const whole = layout.tensor === 1 && layout.pipeline === 1 && layout.virtualPipeline === 1;
  if (!whole) return false;
  if (details?.modelCode !== undefined) return details.modelCode === 'transformers';
  return optimizer.stack === 'ddp' || optimizer.stack === 'fsdp1' || optimizer.stack === 'deepspeed';
}

/** Works out everything that does not depend on the rank. */
export function prepareHf(input: TrainingInput): HfJob {
  const plan = planHf(input);
  const stack = input.optimizer.stack;
  if (stack === 'deepspeed') return { plan, strategy: deepspeedStrategy(plan) };
  if (stack === 'fsdp1' || stack === 'fsdp2') return { plan, strategy: fsdpStrategy(plan) };
  return { plan, strategy: plainStrategy(plan) };
}

/**
 * Ranges of global ranks whose memory is equal, each with the position in a shard group that stands for it. More than one where FSDP2
 * cannot cut stacked experts evenly.
 */
export function hfRankClasses(
  job: HfJob,
): readonly { readonly position: number; readonly ranges: readonly RankRange[] }[] {
  const { input } = job.plan;
  const { layout, optimizer } = input;
  const sharded = optimizer.stack === 'fsdp1' || optimizer.stack === 'fsdp2';
  const positions = sharded ? shardPositions(job.plan) : [];
  const [only] = positions;
  const many = layout.worldSize > LARGEST_LISTED;
  if (only === undefined || positions.length === 1 || many)
    return [{ position: 0, ranges: [[0, layout.worldSize - 1]] }];
  const shard = (positions[positions.length - 1]?.last ?? 0) + 1;
  const groups = Math.max(1, Math.floor(layout.worldSize / shard));
  return positions.map(({ first, last }) => ({
    position: first,
    ranges: Array.from({ length: groups }, (_, group) => [group * shard + first, group * shard + last] as const),
  }));
}

/** Items of one rank at its fullest moment, and what stays between steps. */
export function hfRank(job: HfJob, stages: readonly StageContent[], position = 0): RankMemory {
  const { plan, strategy } = job;
  const modules = stageWeights(plan.input, plan.table, stages);
  const ledger = newLedger();
  strategy.resting(ledger, modules, position);
  put(ledger, 'workspace', 'cuBLAS workspaces', 64 * MIB, `2 threads × ${num(32 * MIB)} B`, ['cluster.gpu']);
  const resting = ledger.items.reduce((total, { bytes }) => total + bytes, 0) + (strategy.restingExtra ?? 0);
  let best: Ledger | undefined;
  let most = -1;
  const consider = (build: (into: Ledger) => void): void => {
    const candidate = newLedger();
    build(candidate);
    const bytes = candidate.items.reduce((total, item) => total + item.bytes, 0);
    if (bytes <= most) return;
    best = candidate;
    most = bytes;
  };
  const heaviest = new Map<string, HfMoment>();
  let peak = -1;
  for (const moment of plan.moments) {
    const bytes = moment.kept + moment.running + strategy.extraBytes(moment);
    if (bytes <= peak) continue;
    peak = bytes;
    heaviest.set('peak', moment);
  }
  const moment = heaviest.get('peak');
  if (moment !== undefined)
    consider((into) => {
      putMoment(into, plan, moment);
      strategy.put(into, moment);
    });
  consider((into) => {
    strategy.step(into);
  });
  if (best !== undefined) ledger.items.push(...best.items);
  return { items: ledger.items, resting };
}

const TOKENS = ['batch.microBatch', 'batch.sequenceLength', 'model.hiddenSize', 'recompute.granularity'] as const;

/** `8192 × 4096 B` where a tensor has as many bytes for every token, else its bytes. */
function perToken({ input: { batch } }: HfPlan, bytes: number): string {
  const tokens = batch.microBatch * batch.sequenceLength;
  return bytes % tokens === 0 && bytes > tokens
    ? `${num(tokens)} tokens × ${num(bytes / tokens)} B`
    : `${num(bytes)} B`;
}

/** Tensors of one moment by group: what earlier layers keep, and the running module. */
function putMoment(ledger: Ledger, plan: HfPlan, moment: HfMoment): void {
  const { head } = plan;
  const logits = ['model.vocabSize', 'batch.microBatch', 'batch.sequenceLength'];
  const groups = new Map<string, { layers: number; bytes: number }>();
  let listed = 0;
  plan.layers.slice(0, Math.max(0, moment.layer)).forEach((layer) => {
    const own = new Map<string, number>();
    for (const store of layer.kept) own.set(store.group, (own.get(store.group) ?? 0) + store.bytes);
    for (const [group, bytes] of own) {
      const key = `${layer.moe ? 'MoE' : 'dense'} layers: ${group}`;
      const entry = groups.get(key);
      if (entry === undefined) groups.set(key, { layers: 1, bytes });
      else entry.layers += 1;
      listed += bytes;
    }
  });
  for (const [group, { layers, bytes }] of groups)
    put(ledger, 'activations', group, layers * bytes, `${num(layers)} layers × ${perToken(plan, bytes)}`, TOKENS);
  const rest = moment.kept - listed;
  put(ledger, 'activations', 'rotary tables and inputs of the running layer', rest, perToken(plan, rest), TOKENS);
  if (moment.phase === 'forward' || moment.phase === 'head') {
    putStores(ledger, plan, head.saved, logits);
    const rest = moment.running - head.savedBytes;
    const what = moment.phase === 'forward' ? 'logits before the loss' : 'gradients of logits';
    put(ledger, 'activations', what, rest, perToken(plan, rest), logits);
  } else
    put(
      ledger,
      'activations',
      moment.layer >= 0 ? `layer ${num(moment.layer)} running backward` : 'embedding running backward',
      moment.running,
      perToken(plan, moment.running),
      TOKENS,
    );
}

function putStores(ledger: Ledger, plan: HfPlan, stores: readonly Store[], fields: readonly string[]): void {
  for (const { group, bytes } of stores) put(ledger, 'activations', group, bytes, perToken(plan, bytes), fields);
}
