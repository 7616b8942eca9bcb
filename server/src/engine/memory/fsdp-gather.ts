import type { StageContent } from '../layout/stages';
import { num, put } from './ledger';
import type { Ledger } from './ledger';
import type { StageModule, WeightTable } from './weights';

/** Parameters that FSDP gathers: all of them, and those of Linear layers among them. */
export interface Gathered {
  readonly all: number;
  readonly low: number;
}

/** Bytes a parameter while gathered, and a Linear's where it is gathered in FP8 (torchao `enable_fsdp_float8_all_gather`). */
export interface GatherWidths {
  readonly gathered: number;
  readonly gatheredLow: number;
}

function total(modules: readonly { readonly elements: number; readonly low: number }[]): Gathered {
  let all = 0;
  let low = 0;
  for (const module of modules) {
    all += module.elements;
    low += module.low;
  }
  return { all, low };
}

/** Elements of a rank's stages before FSDP cuts them. */
export function unsharded(modules: readonly StageModule[]): Gathered {
  return total(modules);
}

/** Largest layer of a rank's stages in elements before FSDP cuts it. */
export function layerElements(table: WeightTable, stages: readonly StageContent[]): Gathered {
  const dense = stages.some(({ denseLayers }) => denseLayers > 0) ? total(table.dense) : { all: 0, low: 0 };
  const moe = stages.some(({ moeLayers }) => moeLayers > 0) ? total(table.moe) : { all: 0, low: 0 };
  return dense.all > moe.all ? dense : moe;
}

/** `copies` times what is gathered, and `beside` it the output head, which is never FP8. */
export function putGathered(
  ledger: Ledger,
  what: string,
  { all, low }: Gathered,
  { gathered, gatheredLow }: GatherWidths,
  copies = 1,
  beside = 0,
): void {
  const small = gathered === gatheredLow ? 0 : copies * low;
  const wide = copies * all - small + beside;
  const text = `${num(wide)} × ${num(gathered)}${small > 0 ? ` + ${num(small)} × ${num(gatheredLow)}` : ''} B`;
  put(ledger, 'weights', what, wide * gathered + small * gatheredLow, text, [
    'optimizer.reshardAfterForward',
    'details.reshard',
    ...(small > 0 ? ['precision.fp8Recipe'] : []),
  ]);
}
