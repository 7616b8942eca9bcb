import type { Ledger } from './ledger';
import { num, put } from './ledger';
import type { StateBytes } from './optimizer-state';
import type { StageModule } from './weights';

/** Ranks among which each kind of state is cut. */
export interface StateShards {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
}

const PRECISION = ['precision.weights', 'precision.fp8Weights'] as const;

/** Writes weights, gradients and optimizer state of one rank's modules; `dense` and `expert` say how each is cut,
 * `offloaded` which share of the optimizer's is in host memory. */
export function putStates(
  ledger: Ledger,
  modules: readonly StageModule[],
  bytes: StateBytes,
  dense: StateShards,
  expert: StateShards,
  offloaded: number,
): void {
  for (const module of modules) {
    const cut = module.expert ? expert : dense;
    const high = module.elements - module.low;
    const count = `${num(module.layers)} × ${num(module.perLayer)}`;
    const weight = high * bytes.weight + module.low * bytes.lowWeight;
    const weightText =
      module.low === 0 || bytes.weight === bytes.lowWeight
        ? `${count} × ${num(bytes.weight)} B`
        : `${num(module.low)} × ${num(bytes.lowWeight)} B${high === 0 ? '' : ` + ${num(high)} × ${num(bytes.weight)} B`}`;
    const over = (n: number): string => (n === 1 ? '' : ` / ${num(n)}`);
    put(ledger, 'weights', module.module, weight / cut.weights, weightText + over(cut.weights), [
      ...PRECISION,
      ...module.fields,
    ]);
    put(
      ledger,
      'gradients',
      module.module,
      (module.elements * bytes.gradient) / cut.gradients,
      `${count} × ${num(bytes.gradient)} B${over(cut.gradients)}`,
      ['precision.gradients', ...module.fields],
    );
    if (offloaded >= 1) continue;
    // A layer-wise optimizer (Muon) gives whole tensors to ranks; the rank that owns a table holds all of its state.
    const table = module.fields.includes('model.vocabSize');
    const moments = table ? bytes.tableMoments : bytes.moments;
    const shards = table && bytes.tableMoments !== bytes.moments ? 1 : cut.optimizer;
    const state = bytes.master + bytes.mainGradient + moments;
    put(
      ledger,
      'optimizer',
      module.module,
      ((1 - offloaded) * module.elements * state) / shards,
      `${offloaded > 0 ? `${num(1 - offloaded)} × ` : ''}${count} × (${num(bytes.master + bytes.mainGradient)} + ${num(moments)}) B${over(shards)}`,
      ['optimizer.zeroStage', 'layout.data', ...module.fields],
    );
  }
}
