import type { ModelSpec } from '../model/spec';
import { isMoeLayer } from '../model/spec';
import { sharedWidth } from './tensors';

/**
 * Which weights ZeRO-3 holds whole at each point of a step: a replay of DeepSpeed's fetching (v0.14.4,
 * runtime/zero/partitioned_param_coordinator.py). Every module's hook fetches what it needs, then reads ahead in the recorded order of
 * uses until a bucket or the limit of live parameters is full; a module's weights go when it is done, unless they were skipped while
 * reading ahead or are used again soon.
 */
export interface CoordinatorSettings {
  /** `stage3_max_live_parameters`, `stage3_max_reuse_distance`, `stage3_prefetch_bucket_size`, `stage3_param_persistence_threshold`, in elements. */
  readonly maxLive: number;
  readonly maxReuseDistance: number;
  readonly prefetchBucket: number;
  readonly persistence: number;
}

/** Elements held whole: while the loss runs, the most during each layer's backward pass, and at the embedding's. */
export interface GatheredElements {
  readonly loss: number;
  readonly head: number;
  readonly layers: readonly number[];
  readonly embedding: number;
}

interface Module {
  readonly parameters: readonly number[];
  readonly children: readonly Module[];
}

/** Layers beyond which a deeper model gathers no more at any point: it is replayed with this many. */
const REPLAYED_LAYERS = 96;

function attentionSizes(model: ModelSpec): number[] {
  const { hiddenSize: h, heads, kvHeads, headDim: d } = model;
  if (model.attention !== 'mla') {
    const norms = model.qkNorm === 'none' ? [] : [d, d];
    return [heads * d * h, kvHeads * d * h, kvHeads * d * h, ...norms, heads * d * h];
  }
  const rope = model.qkRopeHeadDim ?? 0;
  const nope = model.qkNopeHeadDim ?? 0;
  const v = model.vHeadDim ?? d;
  const rank = model.kvLoraRank ?? 0;
  const q = model.qLoraRank ?? 0;
  const query = q > 0 ? [q * h, q, heads * (nope + rope) * q] : [heads * (nope + rope) * h];
  return [...query, (rank + rope) * h, rank, heads * (nope + v) * rank, heads * v * h];
}

/** The modules of one decoder layer in the order in which transformers calls them; `next` gives each weight its number. */
function layerTree(model: ModelSpec, moe: boolean, next: (elements: number) => number): Module {
  const h = model.hiddenSize;
  const leaf = (...elements: number[]): Module => ({ parameters: elements.map(next), children: [] });
  const nothing: Module = { parameters: [], children: [] };
  const group = (...children: Module[]): Module => ({ parameters: [], children });
  const dense = (f: number): Module[] =>
    model.gatedMlp ? [leaf(f * h), nothing, leaf(f * h), leaf(f * h)] : [leaf(f * h), nothing, leaf(f * h)];
  const before = leaf(h);
  const attention = group(...attentionSizes(model).map((elements) => leaf(elements)));
  const after = leaf(h);
  if (!moe) return group(before, attention, after, group(...dense(model.intermediateSize)));
  const E = model.experts ?? 0;
  const fe = model.expertIntermediateSize ?? model.intermediateSize;
  const experts = { parameters: [E * (model.gatedMlp ? 2 : 1) * fe * h, E * fe * h].map(next), children: [nothing] };
  const shared = sharedWidth(model);
  const block = [leaf(E * h), experts, ...(shared > 0 ? [group(...dense(shared))] : [])];
  return group(before, attention, after, group(...block));
}

type Event =
  | { readonly kind: 'fetch' | 'release'; readonly module: Module }
  | { readonly kind: 'mark'; readonly at: (held: number) => void };

interface Marks {
  loss: number;
  head: number;
  embedding: number;
  layers: number[];
}

function callForward(events: Event[], module: Module): void {
  events.push({ kind: 'fetch', module });
  for (const child of module.children) callForward(events, child);
  events.push({ kind: 'release', module });
}

/** Backward hooks run from the last module to the first; a recomputed layer runs forward again when its first weight is needed. */
function callBackward(events: Event[], module: Module, recompute: { layer: Module | undefined }, mark: Event): void {
  events.push({ kind: 'fetch', module });
  if (module.parameters.length > 0 && recompute.layer !== undefined) {
    const again = recompute.layer;
    recompute.layer = undefined;
    for (const child of again.children) callForward(events, child);
  }
  events.push(mark);
  for (let index = module.children.length - 1; index >= 0; index -= 1) {
    const child = module.children[index];
    if (child !== undefined) callBackward(events, child, recompute, mark);
  }
  events.push({ kind: 'release', module });
}

/** The order of one step: forward, loss, backward, with marks where figures are read. */
function script(model: ModelSpec, layers: number, recompute: boolean, sizes: number[], marks: Marks): Event[] {
  const next = (elements: number): number => sizes.push(elements) - 1;
  const nothing: Module = { parameters: [], children: [] };
  const embedding: Module = { parameters: [next(model.vocabSize * model.hiddenSize)], children: [] };
  const head = model.tiedEmbeddings
    ? embedding
    : { parameters: [next(model.vocabSize * model.hiddenSize)], children: [] };
  const offset = model.layers - layers;
  const trees = Array.from({ length: layers }, (_, layer) => layerTree(model, isMoeLayer(model, layer + offset), next));
  const norm: Module = { parameters: [next(model.hiddenSize)], children: [] };
  const events: Event[] = [];
  for (const module of [nothing, nothing]) events.push({ kind: 'fetch', module });
  callForward(events, embedding);
  callForward(events, nothing);
  for (const tree of trees) callForward(events, tree);
  callForward(events, norm);
  callForward(events, head);
  events.push({ kind: 'fetch', module: nothing });
  events.push({ kind: 'mark', at: (held) => (marks.loss = held) });
  events.push({ kind: 'fetch', module: head });
  events.push({ kind: 'mark', at: (held) => (marks.head = held) });
  events.push({ kind: 'release', module: head });
  events.push({ kind: 'fetch', module: nothing });
  callForward(events, norm);
  for (let layer = layers - 1; layer >= 0; layer -= 1) {
    const tree = trees[layer];
    if (tree === undefined) continue;
    const at = (held: number): void => void (marks.layers[layer] = Math.max(marks.layers[layer] ?? 0, held));
    callBackward(events, tree, { layer: recompute ? tree : undefined }, { kind: 'mark', at });
  }
  events.push({ kind: 'fetch', module: embedding });
  events.push({ kind: 'mark', at: (held) => (marks.embedding = held) });
  return events;
}

/** Replays one steady step. */
export function gatheredElements(
  model: ModelSpec,
  recompute: boolean,
  settings: CoordinatorSettings,
): GatheredElements {
  const layers = Math.min(model.layers, REPLAYED_LAYERS);
  const sizes: number[] = [];
  const marks: Marks = { loss: 0, head: 0, embedding: 0, layers: Array.from({ length: layers }, () => 0) };
  const events = script(model, layers, recompute, sizes, marks);
  replay(events, sizes, settings);
  const skipped = model.layers - layers;
  const deep = marks.layers[Math.floor(layers / 2)] ?? 0;
  return { ...marks, layers: [...Array.from({ length: skipped }, () => deep), ...marks.layers] };
}

function replay(events: readonly Event[], sizes: readonly number[], settings: CoordinatorSettings): void {
  const order: (readonly number[])[] = [];
  const queue: (readonly [parameter: number, step: number])[] = [];
  for (const event of events) {
    if (event.kind !== 'fetch') continue;
    for (const parameter of event.module.parameters) queue.push([parameter, order.length]);
    order.push(event.module.parameters);
  }
  const size = (parameter: number): number => sizes[parameter] ?? 0;
  const persistent = (parameter: number): boolean => size(parameter) < settings.persistence;
  const held = sizes.map((_, parameter) => persistent(parameter));
  const lastUse = sizes.map(() => -1);
  let heldElements = 0;
  // The embedding's weights of the last step went without being counted down: no hook follows its backward pass.
  let counted = -size(0);
  let position = 0;
  let step = 0;
  const take = (parameter: number): void => {
    held[parameter] = true;
    counted += size(parameter);
    heldElements += size(parameter);
  };
  const fetch = (parameters: readonly number[]): void => {
    for (const parameter of parameters) if (held[parameter] !== true) take(parameter);
    const fresh = parameters.filter((parameter) => (lastUse[parameter] ?? -1) < step);
    for (let left = fresh.length; left > 0 && position < queue.length; left -= 1, position += 1) {
      const entry = queue[position];
      if (entry !== undefined) lastUse[entry[0]] = entry[1];
    }
    const limit = Math.min(settings.maxLive - counted, settings.prefetchBucket);
    for (let ahead = 0; position < queue.length && ahead < limit; position += 1) {
      const [parameter, use] = queue[position] ?? [0, 0];
      lastUse[parameter] = Math.max(lastUse[parameter] ?? -1, use);
      if (held[parameter] === true) continue;
      ahead += size(parameter);
      take(parameter);
    }
    step += 1;
  };
  const usedSoon = (parameter: number): boolean => {
    let passed = 0;
    for (let index = step; index < order.length && passed < settings.maxReuseDistance; index += 1)
      for (const other of order[index] ?? []) {
        if (other === parameter) return true;
        passed += size(other);
      }
    return false;
  };
  const release = (parameters: readonly number[]): void => {
    for (const parameter of parameters) {
      if (persistent(parameter) || held[parameter] !== true) continue;
      if ((lastUse[parameter] ?? -1) > step || usedSoon(parameter)) continue;
      held[parameter] = false;
      counted -= size(parameter);
      heldElements -= size(parameter);
    }
  };
  for (const event of events) {
    if (event.kind === 'mark') event.at(heldElements);
    else if (event.kind === 'fetch') fetch(event.module.parameters);
    else release(event.module.parameters);
  }
}
