import type { DType } from '../../engine/spec/numbers';
import type { ResolvedPlan } from '../../plan/plan';
import { divisors } from '../../plan/rules/rule-context';
import type { Change, Value } from './change';

/** One way to change a plan: the first change is what a person turns, the rest goes with it. */
export interface Knob {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly changes: readonly [Change, ...Change[]];
  /** What it costs, in a few words. */
  readonly cost: string;
}

function knob(
  name: string,
  from: Value,
  to: Value,
  field: string,
  cost: string,
  rest: readonly Change[] = [],
  value = to,
): Knob {
  return { name, from: String(from), to: String(to), changes: [{ field, value }, ...rest], cost };
}

/** Values above `now`, at most three, of those that divide all of `sizes`. */
function larger(now: number, most: number, ...sizes: readonly (number | undefined)[]): number[] {
  const [first] = sizes;
  if (first === undefined || first <= 0) return [];
  return divisors(first)
    .filter((value) => value > now && value <= most && sizes.every((size) => size === undefined || size % value === 0))
    .slice(0, 3);
}

function degreeKnobs({ model, layout, cluster, batch }: ResolvedPlan): Knob[] {
  if (model === undefined || layout === undefined) return [];
  const { tensor, pipeline, context, expert, worldSize } = layout;
  const node = cluster?.gpusPerNode ?? 8;
  const span = worldSize / (tensor * pipeline * context);
  const sequence = batch?.sequenceLength;
  return [
    ...larger(tensor, Math.min(node, tensor * span), model.heads).map((to) =>
      knob('tensor parallel', tensor, to, 'layout.tensor', 'more communication in every layer', [
        ...(layout.sequenceParallel || tensor === 1 ? [{ field: 'layout.sequenceParallel', value: true }] : []),
      ]),
    ),
    ...larger(pipeline, Math.min(64, pipeline * span), model.layers).map((to) =>
      knob('pipeline stages', pipeline, to, 'layout.pipeline', 'a longer bubble unless there are more microbatches'),
    ),
    ...larger(expert, worldSize / pipeline, model.experts ?? 0).map((to) =>
      knob('expert parallel', expert, to, 'layout.expert', 'tokens travel further, beyond the node above its GPUs'),
    ),
    ...larger(context, context * span, sequence)
      .filter((to) => to <= 16)
      .map((to) => knob('context parallel', context, to, 'layout.context', 'keys and values travel around a ring')),
  ];
}

function sharedStates({ optimizer, layout, plan }: ResolvedPlan): Knob[] {
  const replicas = (layout?.data ?? 1) * (layout?.context ?? 1);
  if (replicas <= 1 || optimizer.stack === 'ddp') return [];
  const costs = [
    '',
    'gathers the weights once a step',
    'reduces every gradient to its owner in each microbatch',
    'gathers the weights in every pass',
  ];
  // Pipelined Megatron shards states only; the other stages are DeepSpeed's and FSDP's.
  const most = optimizer.stack === 'megatron' || optimizer.stack === 'hai-llm' ? 1 : 3;
  const stages = ([1, 2, 3] as const).filter((stage) => stage > optimizer.zeroStage && stage <= most);
  const out = stages.map((to) => knob('ZeRO stage', optimizer.zeroStage, to, 'optimizer.zeroStage', costs[to] ?? ''));
  const reshards = optimizer.stack === 'fsdp2' || optimizer.stack === 'fsdp1';
  if (reshards && !optimizer.reshardAfterForward && plan.optimizer.reshardAfterForward !== undefined)
    out.push(
      knob(
        'reshard after forward',
        false,
        true,
        'optimizer.reshardAfterForward',
        'gathers the weights again in backward',
      ),
    );
  return out;
}

function stateKnobs(resolved: ResolvedPlan): Knob[] {
  const { precision, optimizer } = resolved;
  const narrower = (name: string, field: keyof typeof precision, cost: string): Knob[] => {
    const now = precision[field];
    return now === 'F32' ? [knob(name, 'FP32', 'BF16' satisfies DType, `precision.${field}`, cost)] : [];
  };
  const trained = optimizer.kind === 'adam' || optimizer.kind === 'muon';
  return [
    ...sharedStates(resolved),
    ...(precision.weights === 'F32'
      ? []
      : narrower('gradients', 'gradients', 'sums of many microbatches lose their small terms')),
    ...(trained
      ? [
          ...narrower('first moment', 'firstMoment', 'rounds the running mean; DeepSeek-V3 trains so'),
          ...narrower('second moment', 'secondMoment', 'rounds the running square; DeepSeek-V3 trains so'),
        ]
      : []),
    ...(optimizer.offloadOptimizer
      ? []
      : [
          knob(
            'optimizer states',
            'GPU',
            'CPU',
            'optimizer.offloadOptimizer',
            'the update waits for the bus to the CPU',
            [],
            true,
          ),
        ]),
    ...(optimizer.offloadParameters || optimizer.zeroStage < 3
      ? []
      : [
          knob(
            'parameters',
            'GPU',
            'CPU',
            'optimizer.offloadParameters',
            'every gather waits for the bus to the CPU',
            [],
            true,
          ),
        ]),
  ];
}

function activationKnobs({ recompute, batch, layout }: ResolvedPlan): Knob[] {
  const out: Knob[] = [];
  if (recompute.granularity !== 'full')
    out.push(
      knob(
        'recompute',
        recompute.granularity,
        'full',
        'recompute.granularity',
        'a third more compute: every layer runs twice',
        [
          { field: 'recompute.method', value: 'uniform' },
          { field: 'recompute.layers', value: 1 },
        ],
      ),
    );
  if (recompute.granularity === 'none')
    out.push(knob('recompute', 'none', 'selective', 'recompute.granularity', 'attention scores are computed twice'));
  const micro = batch?.microBatch ?? 1;
  if (micro % 2 === 0)
    out.push(knob('microbatch', micro, micro / 2, 'batch.microBatch', 'smaller matrix products, more passes'));
  if (layout !== undefined && layout.tensor > 1 && !layout.sequenceParallel)
    out.push(
      knob(
        'sequence parallel',
        'off',
        'on',
        'layout.sequenceParallel',
        'as many bytes sent: a gather and a scatter for each sum',
        [],
        true,
      ),
    );
  return out;
}

/** Single changes of a training plan that may save memory on the fullest rank. */
export function trainingKnobs(resolved: ResolvedPlan): Knob[] {
  return [...activationKnobs(resolved), ...degreeKnobs(resolved), ...stateKnobs(resolved)];
}

const FRACTION_STEP = 0.05;

/** Single changes of a serving plan that save memory or make room for more tokens. */
export function servingKnobs({ model, layout, serving, cluster }: ResolvedPlan): Knob[] {
  if (model === undefined || layout === undefined || serving === undefined) return [];
  const { memoryFraction, contextLength, chunkedPrefill, cudaGraphMaxBatch } = serving;
  const out: Knob[] = larger(layout.tensor, cluster?.gpusPerNode ?? 8, model.heads).map((to) =>
    knob(
      'tensor parallel',
      layout.tensor,
      to,
      'layout.tensor',
      'needs that many GPUs; more communication in every layer',
    ),
  );
  if (memoryFraction !== undefined) {
    const rounded = (value: number): number => Math.round(100 * value) / 100;
    const less = rounded(memoryFraction - FRACTION_STEP);
    const more = rounded(memoryFraction + FRACTION_STEP);
    if (less > 0.3)
      out.push(knob('memory fraction', memoryFraction, less, 'serving.memoryFraction', 'fewer tokens in the cache'));
    if (more <= 0.95)
      out.push(
        knob('memory fraction', memoryFraction, more, 'serving.memoryFraction', 'less left for activations and graphs'),
      );
  }
  if (contextLength !== undefined && contextLength > 2048)
    out.push(
      knob(
        'longest request',
        contextLength,
        Math.floor(contextLength / 2),
        'serving.contextLength',
        'longer requests are refused',
      ),
    );
  if (serving.kvDType !== 'F8_E4M3' && serving.kvDType !== 'F8_E5M2')
    out.push(
      knob('KV cache', serving.kvDType, 'F8_E4M3', 'serving.kvDType', 'keys and values are rounded to three bits'),
    );
  if (chunkedPrefill !== undefined && chunkedPrefill > 2048)
    out.push(
      knob(
        'prefill piece',
        chunkedPrefill,
        Math.floor(chunkedPrefill / 2),
        'serving.chunkedPrefill',
        'long prompts take more passes',
      ),
    );
  if (cudaGraphMaxBatch !== undefined && cudaGraphMaxBatch > 16)
    out.push(
      knob(
        'largest CUDA graph',
        cudaGraphMaxBatch,
        Math.floor(cudaGraphMaxBatch / 2),
        'serving.cudaGraphMaxBatch',
        'larger batches run without a graph',
      ),
    );
  return out;
}
