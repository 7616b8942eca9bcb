import { num } from './ledger';

/** Modules that a recompute list can name. */
export type SavedModule =
  | 'layer_input'
  | 'layernorm'
  | 'core_attn'
  | 'mla_up_proj'
  | 'mla_down'
  | 'attention'
  | 'mlp'
  | 'mlp_act'
  | 'moe'
  | 'moe_act'
  | 'router'
  | 'shared_experts'
  | 'head'
  | 'dropout';

/** Tensors of one group that autograd keeps from the forward pass of one layer to its backward pass. */
export interface SavedItem {
  readonly module: SavedModule;
  readonly group: string;
  readonly bytes: number;
  readonly formula: string;
  readonly fields: readonly string[];
}

/** Builds a saved item from its factors, with the product spelled out. */
export function saved(
  module: SavedModule,
  group: string,
  factors: readonly number[],
  fields: readonly string[],
): SavedItem {
  let bytes = 1;
  for (const factor of factors) bytes *= factor;
  return { module, group, bytes, formula: factors.map(num).join(' × ') + ' B', fields };
}

export function sumSaved(items: readonly SavedItem[]): number {
  let sum = 0;
  for (const item of items) sum += item.bytes;
  return sum;
}

/** A saved item whose bytes and formula are worked out already. */
export function savedAs(
  module: SavedModule,
  group: string,
  { bytes, formula }: { readonly bytes: number; readonly formula: string },
  fields: readonly string[],
): SavedItem {
  return { module, group, bytes, formula, fields };
}
