import type { InFlight } from '../layout/in-flight';
import type { StageContent } from '../layout/stages';
import type { Dims } from './dims';
import type { TrainingInput } from './input';
import type { Ledger } from './ledger';
import { num, put } from './ledger';
import type { SavedItem } from './saved';
import { transformerEngine } from './saved-widths';

/** Groups of saved tensors that belong to a captured part beside those of its modules: its norm and its input. */
const PARTS = {
  attn: {
    modules: ['attention', 'core_attn', 'mla_up_proj', 'mla_down'],
    groups: ['attention norm output', 'layer input'],
  },
  mlp: { modules: ['mlp', 'mlp_act'], groups: ['feed-forward norm output', 'feed-forward norm input'] },
  moe_router: { modules: ['router'], groups: ['feed-forward norm output', 'feed-forward norm input'] },
} as const;

/** Parts of a layer that Transformer Engine captures in graphs; none where whole layers run again. */
export function capturedParts(input: TrainingInput, moe: boolean): readonly (keyof typeof PARTS)[] {
  if (!transformerEngine(input) || input.recompute.granularity === 'full') return [];
  const named = input.details?.graphedModules ?? [];
  const all: readonly (keyof typeof PARTS)[] = moe ? ['attn', 'moe_router'] : ['attn', 'mlp'];
  return all.filter((part) => named.includes(part));
}

/**
 * Splits what a layer keeps. Tensors that a captured pass saves live in the private pool of its graph: freed as soon as the capture ends,
 * they are no longer in use for the allocator, which goes on holding their room (seen on an H100: 64 MiB in use after a captured forward pass
 * that needs 4,992 MiB without).
 */
export function outsideGraphs(
  input: TrainingInput,
  moe: boolean,
  kept: readonly SavedItem[],
): { readonly kept: readonly SavedItem[]; readonly pooled: number } {
  const parts = capturedParts(input, moe).map((part) => PARTS[part]);
  if (parts.length === 0) return { kept, pooled: 0 };
  const within = ({ module, group }: SavedItem): boolean =>
    parts.some(
      ({ modules, groups }) =>
        (modules as readonly string[]).includes(module) || (groups as readonly string[]).includes(group),
    );
  return {
    kept: kept.filter((item) => !within(item)),
    pooled: kept.reduce((sum, item) => sum + (within(item) ? item.bytes : 0), 0),
  };
}

/** Hidden-wide tensors that the graphs of one layer and microbatch own: input and output, and behind a router what the experts read. */
function staticTensors(input: TrainingInput, moe: boolean): number {
  const parts = capturedParts(input, moe);
  return parts.length === 0 ? 0 : parts.includes('moe_router') ? 3 : 2;
}

/**
 * Writes the inputs and outputs of all graphs of a rank, which stand between steps too: one set a layer and microbatch in flight, used again by
 * later microbatches (Transformer Engine pytorch/graph.py, `_reuse_graph_input_output_buffers`). Answers with their bytes.
 */
export function putStaticTensors(
  ledger: Ledger,
  input: TrainingInput,
  d: Dims,
  stages: readonly StageContent[],
  live: InFlight,
): number {
  const sets = stages.reduce((sum, stage, index) => {
    const moe = stage.moeLayers * staticTensors(input, true);
    return sum + (live[index] ?? 0) * (moe + (stage.layers - stage.moeLayers) * staticTensors(input, false));
  }, 0);
  const bytes = (sets * 2 * d.T * d.h) / d.sp;
  const formula = `${num(sets)} × 2 × ${num(d.T)} × ${num(d.h / d.sp)} B`;
  put(ledger, 'buffers', 'inputs and outputs of CUDA graphs', bytes, formula, [
    'details.graphedModules',
    'batch.microBatch',
    'pipeline.kind',
  ]);
  return bytes;
}
