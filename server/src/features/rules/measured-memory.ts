import { communicatorsOf, outsideAllocator } from '../../engine/memory/outside';
import type { MemoryItem, MemoryReport, RankClass } from '../../engine/memory/report';
import type { TrainingStack } from '../../engine/spec/training';
import type { Finding } from '../../plan/finding';
import type { ResolvedPlan, Sourced } from '../../plan/plan';
import { placed } from '../../plan/rules/rule-context';
import { certainWorld } from '../../plan/rules/world';
import { getPath } from '../../syntax/query';
import type { ConfigNode, ConfigTree } from '../../syntax/tree';
import { outcomeOf } from '../fit/change';
import { count, gib, percent } from '../format';

/** What training loops were measured to do with memory that their config files do not show. Advice, never an error. */

const TORCH: ReadonlySet<TrainingStack> = new Set(['fsdp2', 'fsdp1', 'ddp', 'deepspeed']);

function fullest({ classes, peak }: MemoryReport): RankClass | undefined {
  return classes[peak.classIndex];
}

function bytesOf(rank: RankClass, named: RegExp): number {
  return rank.items.reduce((sum, { group, bytes }: MemoryItem) => sum + (named.test(group) ? bytes : 0), 0);
}

function at(values: readonly (Sourced<unknown> | undefined)[]): Pick<Finding, 'at' | 'related'> {
  return placed(values.map((value) => ({ value, says: value?.label ?? 'this value' })));
}

/** Share of the fullest rank from which a part is worth a word. */
const MUCH = 0.25;
/** Share of the device above which memory is scarce enough for advice. */
const SCARCE = 0.7;

function isScarce({ total, capacity }: RankClass): boolean {
  return capacity !== undefined && total > SCARCE * capacity;
}

/** Training loops of plain torch hold 12 to 14 bytes for every token and vocabulary entry around their loss. */
export function logitsDominate(resolved: ResolvedPlan, memory: MemoryReport): Finding[] {
  const { plan, optimizer, model, batch } = resolved;
  const rank = fullest(memory);
  if (rank === undefined || model === undefined || batch === undefined || !TORCH.has(optimizer.stack)) return [];
  const logits = bytesOf(rank, /\b(?:logits|loss|log-probabilities)\b/i);
  if (logits < MUCH * rank.allocated || !isScarce(rank)) return [];
  const tokens = batch.microBatch * batch.sequenceLength;
  return [
    {
      rule: 'logits-dominate-memory',
      severity: 'hint',
      message: `Logits, probabilities and their gradients take ${gib(logits)} of the ${gib(rank.allocated)} GiB on rank ${rank.example} (${count(tokens)} tokens × ${count(model.vocabSize)} entries); a chunked, fused or compiled cross entropy needs a third of them or less.`,
      ...at([plan.batch.microBatch, plan.batch.sequenceLength, plan.model.vocabSize, plan.model.name]),
    },
  ];
}

const SPLIT_BACKWARD: ReadonlySet<string> = new Set(['zbv-torch', 'interleaved-zb-torch', 'zb-v', 'zb-h1', 'zb-h2']);

/** Where the backward pass is split, what recomputation made again lives until the weight half: full recompute saves next to nothing. */
export function recomputeUndone(resolved: ResolvedPlan, memory: MemoryReport): Finding[] {
  const { plan, recompute, pipeline, optimizer, layout } = resolved;
  const torch = optimizer.stack === 'fsdp2';
  if (!torch || (layout?.pipeline ?? 1) <= 1 || recompute.granularity !== 'full' || !SPLIT_BACKWARD.has(pipeline.kind))
    return [];
  const plain = outcomeOf(resolved, [{ field: 'pipeline.kind', value: 'interleaved-torch' }]);
  const other = plain === undefined ? undefined : plain.memory.peak.bytes;
  const saved = other === undefined ? 0 : memory.peak.bytes - other;
  const instead = saved > 2 ** 30 ? `; interleaved 1F1B would take ${gib(saved)} GiB less` : '';
  return [
    {
      rule: 'zero-bubble-undoes-recompute',
      severity: 'warning',
      message: `Full recomputation saves next to nothing under ${plan.pipeline.kind?.label ?? 'this schedule'} ${pipeline.kind}: what it makes again is kept until the weight half of the backward pass${instead}.`,
      ...at([plan.recompute.granularity, plan.pipeline.kind]),
    },
  ];
}

/** torch pipelining under FSDP: whole weights, whole FP32 gradients and every microbatch's receive buffer live through the schedule. */
export function unshardedInPipeline({ plan, optimizer, layout }: ResolvedPlan, memory: MemoryReport): Finding[] {
  const rank = fullest(memory);
  if (rank === undefined || optimizer.stack !== 'fsdp2' || (layout?.pipeline ?? 1) <= 1) return [];
  const states = bytesOf(rank, /^gathered weights|unsharded|accumulat/);
  const received = bytesOf(rank, /^pipeline receive buffers/);
  if (states + received < MUCH * rank.allocated || !isScarce(rank)) return [];
  return [
    {
      rule: 'unsharded-state-in-pipeline',
      severity: 'hint',
      message: `Between pipeline stages FSDP does not shard what a step works with: rank ${rank.example} keeps ${gib(states)} GiB of gathered weights and whole gradients and ${gib(received)} GiB of receive buffers through the whole schedule, ${percent((states + received) / rank.allocated)} of its peak.`,
      ...at([plan.layout.pipeline, plan.batch.microbatches, plan.layout.dataShard]),
    },
  ];
}

/** FSDP2 cuts stacked expert weights along the experts: with fewer experts than shards some ranks hold whole experts and others none. */
export function expertsBelowShards({ plan, optimizer, layout, model }: ResolvedPlan): Finding[] {
  const experts = model?.experts ?? 0;
  if (optimizer.stack !== 'fsdp2' || layout === undefined || experts === 0) return [];
  // torchtitan cuts along the width where there are too few experts.
  if (plan.dialect === 'torchtitan' || layout.expert > 1 || layout.pipeline > 1) return [];
  const shards = layout.dataShard ?? layout.data * layout.context;
  if (experts >= shards) return [];
  return [
    {
      rule: 'experts-below-shards',
      severity: 'warning',
      message: `FSDP2 shards the ${experts} stacked experts of a layer over ${shards} ranks along the experts, so that ${experts} ranks hold one each, the others none, and more ranks save no memory; shard over at most ${experts} ranks and replicate, or use expert parallelism.`,
      ...at([plan.layout.dataShard, plan.layout.worldSize, plan.model.experts, plan.model.name]),
    },
  ];
}

/** Keys of fine-tuning files that make every batch as long as the last. */
const EVEN_LENGTHS = ['packing', 'sample_packing', 'pad_to_sequence_len', 'pad_to_max_length', 'neat_packing'];
const FINE_TUNING: ReadonlySet<string> = new Set(['axolotl', 'llama-factory', 'trl']);

function isOn(node: ConfigNode | undefined): boolean {
  return node?.kind === 'scalar' && /^(?:true|yes|on|1)$/i.test(String(node.value));
}

/** Batches of varying length leave holes of every size in the allocator's blocks. */
export function variableLengths({ plan }: ResolvedPlan, memory: MemoryReport, tree: ConfigTree): Finding[] {
  const rank = fullest(memory);
  if (rank === undefined || plan.task !== 'training' || !FINE_TUNING.has(plan.dialect)) return [];
  // How many ranks share the states is the launcher's to say: on one assumed GPU every plan is too full.
  if (certainWorld(plan) === undefined) return [];
  const [root] = tree.documents;
  if (root === undefined || EVEN_LENGTHS.some((key) => isOn(getPath(root, [key])))) return [];
  const capacity = rank.capacity ?? Infinity;
  // What does not fit at all has a finding of its own. 51 GiB were reserved for 31 GiB with random lengths; with expandable segments 33.5.
  if (rank.allocated * 1.6 < capacity || rank.allocated > capacity) return [];
  return [
    {
      rule: 'variable-lengths-fragment-memory',
      severity: 'information',
      message: `Batches of varying length make the allocator reserve about 1.6 times the ${gib(rank.allocated)} GiB in use, more than the device has; set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True, which brings it to about 1.1 times, or pack the samples.`,
      ...at([plan.batch.sequenceLength, plan.batch.microBatch]),
    },
  ];
}

/** What communicators hold outside the allocator, in words. */
export function outsideText({ layout, plan }: ResolvedPlan): string | undefined {
  if (layout === undefined || plan.task !== 'training') return undefined;
  const communicators = plan.details?.communicators ?? communicatorsOf(layout);
  if (communicators === 0) return undefined;
  const bytes = outsideAllocator(layout, communicators) - outsideAllocator(layout, 0);
  return `${communicators} ${communicators === 1 ? 'communicator holds' : 'communicators hold'} ${gib(bytes)} GiB`;
}

/** All of them, for one plan whose memory is known. */
export function measuredMemory(resolved: ResolvedPlan, memory: MemoryReport | undefined, tree: ConfigTree): Finding[] {
  if (memory === undefined || resolved.plan.task !== 'training') return [];
  return [
    ...recomputeUndone(resolved, memory),
    ...expertsBelowShards(resolved),
    ...unshardedInPipeline(resolved, memory),
    ...logitsDominate(resolved, memory),
    ...variableLengths(resolved, memory, tree),
  ];
}
