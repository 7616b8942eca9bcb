import { DTYPE_BITS } from '../spec/numbers';
import { lowWeightBytesOfBase } from './hf-adapters';
import type { HfMoment, HfPlan } from './hf-plan';
import { stepScratch, trainable } from './hf-plain';
import type { HfStrategy } from './hf-strategy';
import { elementsOf, layerElementsOf, rootElements } from './hf-strategy';
import type { Ledger } from './ledger';
import { num, put } from './ledger';
import type { ModuleWeights, StageModule } from './weights';

/** Sizes of a fully sharded job: elements of its units, and bytes an element at each place. */
interface Units {
  readonly version: 1 | 2;
  readonly shard: number;
  /** Elements of every decoder layer as gathered, padding included, and of the root. */
  readonly layers: readonly number[];
  readonly root: number;
  /** Elements of every layer's gradients. */
  readonly trains: number;
  /** Bytes of a gathered weight, a gradient in reduction, and a gradient's shard. */
  readonly gathered: number;
  readonly reduced: number;
  readonly kept: number;
  /** Parameters stay gathered from forward to backward. */
  readonly stays: boolean;
}

/**
 * Elements of a layer that all-gathers carry. FSDP2 cuts every tensor along its first dimension and pads it to a multiple of the
 * ranks (torch distributed/fsdp/_fully_shard/_fsdp_param.py), so that 8 stacked experts on 16 ranks travel as 16.
 */
export function paddedElements(modules: readonly ModuleWeights[], shard: number): number {
  let sum = 0;
  for (const { tensors } of modules)
    for (const { rows, columns, copies } of tensors) {
      const first = copies > 1 ? copies : rows;
      if (first > 0) sum += (rows * columns * copies * Math.ceil(first / shard) * shard) / first;
    }
  return sum;
}

function unitsOf(plan: HfPlan): Units {
  const { input, bytes, context } = plan;
  const version = input.optimizer.stack === 'fsdp1' ? 1 : 2;
  const shard = Math.max(1, input.layout.dataShard ?? input.layout.data * input.layout.context);
  const gathered = input.details?.lowPrecisionBytes ?? 2;
  return {
    version,
    shard,
    layers: layerElementsOf(plan, (modules) => (version === 2 ? paddedElements(modules, shard) : elementsOf(modules))),
    root: rootElements(plan),
    trains: context.lora === undefined ? 1 : 0,
    gathered,
    reduced: input.details?.reduceBytes ?? bytes.gradient,
    kept: DTYPE_BITS[input.precision.weights] / 8,
    stays: input.details?.reshard === 'never' || !input.optimizer.reshardAfterForward,
  };
}

function total(values: readonly number[], from = 0, to = values.length): number {
  let sum = 0;
  for (let index = Math.max(0, from); index < Math.min(to, values.length); index += 1) sum += values[index] ?? 0;
  return sum;
}

/** Elements that stand gathered at a moment: the root, and layers that run, are fetched early, or were never given back. */
function gatheredElements(u: Units, { phase, layer }: HfMoment): number {
  const own = u.layers[layer] ?? 0;
  const next = u.layers[layer - 1] ?? 0;
  const last = u.layers[u.layers.length - 1] ?? 0;
  switch (phase) {
    case 'forward':
      // FSDP2 keeps the buffer of its last all-gather until the next one waits.
      return u.root + (u.stays ? total(u.layers) : 0) + (u.version === 2 && u.stays ? last : 0);
    case 'head':
      return u.root + (u.stays ? total(u.layers) : last);
    case 'layer':
      return u.root + (u.stays ? total(u.layers, 0, layer + 1) : own + next);
    case 'reduce':
      if (layer < 0) return 0;
      return u.root + (u.stays ? total(u.layers, 0, layer) : next);
    case 'embedding':
      return u.root;
  }
}

/** Bytes of gradients on their way: copies in the format of the reduction, and FSDP1's flat gradient beside its parts. */
function travelling(u: Units, moment: HfMoment): number {
  if (u.trains === 0) return moment.runningGradients;
  const { phase, layer } = moment;
  const elements = layer < 0 ? u.root : (u.layers[layer] ?? 0);
  if (phase === 'reduce') {
    const wide = u.version === 2 || u.reduced !== u.gathered ? u.reduced * elements : 0;
    const shard = (u.kept * elements) / u.shard;
    // FSDP2 drops the gradients once they are copied, before it takes the shard (_fsdp_collectives.py, foreach_reduce).
    return u.version === 2 ? wide + Math.max(u.gathered * elements, shard) : u.gathered * elements + wide + shard;
  }
  // FSDP2 frees the input of a reduce-scatter when the next one is about to start.
  const waiting = u.version === 2 && (phase === 'layer' || phase === 'embedding') ? (u.layers[layer + 1] ?? 0) : 0;
  return moment.runningGradients + u.reduced * waiting;
}

/** Shards of gradients that are done, and the head's whole gradient, which waits for the embedding's in the same unit. */
function doneBytes(u: Units, plan: HfPlan, { phase, layer }: HfMoment, standing: boolean): number {
  if (u.trains === 0) return 0;
  const all = (u.kept * (total(u.layers) + u.root)) / u.shard;
  const done = standing ? all : (u.kept * total(u.layers, layer + 1)) / u.shard;
  if (phase === 'forward' || phase === 'head') return standing ? all : 0;
  const head = layer < 0 && phase === 'reduce' ? 0 : u.gathered * (plan.table.head + plan.table.finalNorm);
  return done + head;
}

/**
 * FSDP of PyTorch around every decoder layer and the rest as the root, as Accelerate wraps transformers models. Version 1 keeps flat
 * parameters and last step's gradients until forward (torch distributed/fsdp/_runtime_utils.py); version 2 keeps tensors cut along
 * their first dimension (distributed/fsdp/_fully_shard/_fsdp_collectives.py).
 */
export function fsdpStrategy(plan: HfPlan): HfStrategy {
  const u = unitsOf(plan);
  const { input } = plan;
  const standing = input.batch.microbatches > 1;
  const train = trainable(plan);
  const shardGradients = (train.elements * u.kept) / u.shard;
  const parts = (moment: HfMoment): readonly [number, number, number] => [
    u.gathered * gatheredElements(u, moment),
    travelling(u, moment),
    doneBytes(u, plan, moment, standing),
  ];
  return {
    resting: (ledger, modules, position) => putShards(ledger, plan, u, modules, position),
    ...(u.version === 1 ? { restingExtra: shardGradients } : {}),
    extraBytes: (moment) => {
      const [gathered, moving, done] = parts(moment);
      return gathered + moving + done;
    },
    put: (ledger, moment) => {
      const [gathered, moving, done] = parts(moment);
      put(ledger, 'weights', 'gathered units', gathered, `${num(gathered / u.gathered)} × ${num(u.gathered)} B`, [
        'optimizer.reshardAfterForward',
        'layout.dataShard',
      ]);
      put(ledger, 'gradients', 'gradients before the reduce-scatter', moving, `${num(moving)} B`, ['optimizer.stack']);
      put(ledger, 'gradients', 'gradients made so far', done, `${num(done)} B`, ['layout.dataShard']);
    },
    step: (ledger) => {
      put(
        ledger,
        'gradients',
        'gradients',
        shardGradients,
        `${num(train.elements)} × ${num(u.kept)} B / ${num(u.shard)}`,
        ['layout.dataShard'],
      );
      const scratch = input.optimizer.offloadOptimizer ? 0 : stepScratch(plan, train.elements / u.shard, u.kept);
      put(ledger, 'workspace', 'optimizer temporaries', scratch, `${num(scratch)} B`, ['details.optimizerStep']);
    },
  };
}

/** Experts whose values the rank at `position` of a shard group holds: FSDP2 deals them out in equal runs, the last ranks may get none. */
function expertsAt(experts: number, shard: number, position: number): number {
  const run = Math.ceil(experts / shard);
  return Math.max(0, Math.min(run, experts - position * run));
}

/** Positions of a shard group that hold equally many experts, in order; one entry where experts divide evenly. */
export function shardPositions(plan: HfPlan): readonly { readonly first: number; readonly last: number }[] {
  const { input, layers } = plan;
  const { shard, version } = unitsOf(plan);
  const experts = input.model.experts ?? 0;
  if (version === 1 || !layers.some(({ moe }) => moe) || experts % shard === 0) return [{ first: 0, last: shard - 1 }];
  const run = Math.ceil(experts / shard);
  const full = Math.floor(experts / run);
  const out = [{ first: 0, last: full - 1 }];
  if (full * run < experts) out.push({ first: full, last: full });
  const held = Math.ceil(experts / run);
  if (held < shard) out.push({ first: held, last: shard - 1 });
  return out;
}

function putShards(ledger: Ledger, plan: HfPlan, u: Units, modules: readonly StageModule[], position: number): void {
  const { input, bytes, context } = plan;
  if (input.optimizer.offloadParameters) return;
  const states = bytes.moments + bytes.master;
  for (const module of modules) {
    const each = context.lora === undefined ? bytes.weight : lowWeightBytesOfBase(plan, module);
    const text = `${num(module.layers)} × ${num(module.perLayer)}`;
    // Stacked experts are cut whole; weights are padded to the longest run, optimizer states are not.
    const experts = input.model.experts ?? 0;
    const uneven = u.version === 2 && module.expert && experts > 0;
    const share = uneven ? Math.ceil(experts / u.shard) / experts : 1 / u.shard;
    const own = uneven ? expertsAt(experts, u.shard, position) / experts : share;
    const over = (part: number): string => (uneven ? ` × ${num(part)}` : ` / ${num(u.shard)}`);
    put(ledger, 'weights', module.module, module.elements * each * share, `${text} × ${num(each)} B${over(share)}`, [
      'precision.weights',
      'layout.dataShard',
      ...module.fields,
    ]);
    if (context.lora === undefined && !input.optimizer.offloadOptimizer)
      put(
        ledger,
        'optimizer',
        module.module,
        module.elements * states * own,
        `${text} × ${num(states)} B${over(own)}`,
        ['optimizer.kind', 'layout.dataShard', ...module.fields],
      );
  }
  if (context.lora === undefined) return;
  const n = plan.adapterElements / u.shard;
  const each = context.lora.bytes + (bytes.moments / 4) * context.lora.bytes;
  put(ledger, 'optimizer', 'adapters with their states', n * each, `${num(n)} × ${num(each)} B`, ['details.lora']);
}
