import type { QuantizationSpec } from '../../engine/spec/numbers';
import type { Finding } from '../finding';
import type { Plan } from '../plan';
import { feedForwardTiles, isQuantized, type Sharding, type Tile } from './fp8-blocks';
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

const MARLIN = 'layers/quantization/utils/marlin_utils.py';

/** Engines that read GPTQ and AWQ checkpoints with Marlin's kernels. */
const KERNELS: Readonly<Record<string, Enforcement['source']>> = {
  vllm: vllm(`model_executor/${MARLIN}`, 'verify_marlin_supports_shape'),
  sglang: sglang('layers/quantization/marlin_utils.py', 'verify_marlin_supports_shape'),
};
/** Input columns that one thread block of Marlin takes. */
const COLUMNS = 128;

interface Slice extends Tile {
  readonly slice: number;
}

/** Inner widths along which groups are laid, as one rank holds them: down and output projections are cut there. */
function slices(sharding: Sharding): Slice[] {
  const { model, layout } = sharding;
  const parts = layout.attentionData > 1 ? layout.tensor / layout.attentionData : layout.tensor;
  const heads: Tile = {
    what: 'attention output width',
    size: model.heads * (model.vHeadDim ?? model.headDim),
    parts,
    field: 'heads',
  };
  return [...feedForwardTiles(sharding), heads]
    .filter(({ size, parts: count }) => Number.isInteger(count) && count >= 1 && size % count === 0)
    .map((tile) => ({ ...tile, slice: tile.size / tile.parts }));
}

/** Packed integers: those of 8 bits too where they come in groups (or one group a channel), as GPTQ writes them. */
function isInteger({ method, weightBits, groupSize }: QuantizationSpec): boolean {
  if (method === 'int8') return groupSize !== undefined;
  return method === 'int4-group' && [4, 8].includes(weightBits ?? 4);
}

function isExpert({ field }: Tile): boolean {
  return field === 'expertIntermediateSize';
}

/** Degrees near the written one whose slices are all multiples of `unit`. */
function legal(sharding: Sharding, unit: number): number[] {
  const { model, layout } = sharding;
  const degrees = Array.from({ length: Math.min(model.heads, 256) }, (_, index) => index + 1).filter((tensor) => {
    if (model.heads % tensor !== 0) return false;
    const expertTensor = layout.expertTensor > 1 ? tensor : layout.expertTensor;
    return slices({ ...sharding, layout: { ...layout, tensor, expertTensor } }).every(
      ({ slice }) => slice % unit === 0,
    );
  });
  return nearest(layout.tensor, degrees);
}

interface Fault {
  readonly rule: { readonly id: string };
  readonly severity: Enforcement['severity'];
  readonly says: string;
}

function faultFinding(plan: Plan, tile: Slice, fault: Fault, near: readonly number[]): Finding {
  const { tensor } = plan.layout;
  const source = KERNELS[plan.dialect];
  const label = tensor?.label ?? 'tensor parallelism';
  const message = `${tile.what} ${tile.size} / ${tile.parts} = ${tile.slice} ${fault.says}${advice(near)}${near.length === 0 ? '' : ` for ${label}`}.`;
  const named = plan.model.name?.at;
  return finding(fault.rule, { severity: fault.severity, ...(source === undefined ? {} : { source }) }, message, {
    // Where no degree is written, the model that does not fit stands alone.
    ...(named === undefined || named.uri !== undefined ? {} : { at: named }),
    ...placed([
      { value: tensor, says: 'the degree that shards it' },
      { value: plan.model.name, says: 'the model' },
      { value: plan.model[tile.field], says: tile.what },
    ]),
    ...setFixes(tensor, 'tensor parallelism', near),
  });
}

/** What a rank's slice of a checkpoint with integer groups lacks; one finding a cause. */
function faults(
  { plan, resolved }: Parameters<PlanRule['check']>[0],
  judge: (tile: Slice, group: number) => { readonly fault: Fault; readonly unit: number } | undefined,
): Finding[] {
  const { model, layout, quantization, serving } = resolved;
  if (KERNELS[plan.dialect] === undefined || model === undefined || layout === undefined || !isInteger(quantization))
    return [];
  if (!stated(plan.layout.tensor)) return [];
  const sharding: Sharding = { model, layout, ...(serving === undefined ? {} : { serving }) };
  for (const tile of slices(sharding)) {
    const modules = tile.field === 'heads' ? /attn|attention|o_proj/ : /mlp(?!\.gate\b)|down_proj|experts/;
    if (plan.model[tile.field] === undefined || !isQuantized(quantization, modules)) continue;
    const found = judge(tile, quantization.groupSize ?? -1);
    if (found !== undefined) return [faultFinding(plan, tile, found.fault, legal(sharding, found.unit))];
  }
  return [];
}

export const groupNotDividing: PlanRule = {
  id: 'group-not-dividing',
  title: 'A slice of an integer-quantized weight cuts through the groups that share one scale.',
  severity: 'error',
  check: (context) =>
    faults(context, (tile, group) =>
      group > 0 && tile.parts > 1 && tile.slice % group !== 0
        ? {
            unit: group,
            fault: {
              rule: groupNotDividing,
              // Kernels for experts exist that take smaller groups; whether they are chosen depends on the release.
              severity: isExpert(tile) ? 'warning' : 'error',
              says: `is not a multiple of the ${group} weights that share one scale`,
            },
          }
        : undefined,
    ),
};

export const kernelNotTiling: PlanRule = {
  id: 'kernel-not-tiling',
  title: 'A slice of an integer-quantized weight does not fit the fast kernels.',
  severity: 'warning',
  check: (context) =>
    groupNotDividing.check(context).length > 0
      ? []
      : faults(context, (tile) =>
          tile.slice % COLUMNS !== 0 && !isExpert(tile)
            ? {
                unit: COLUMNS,
                fault: {
                  rule: kernelNotTiling,
                  severity: 'warning',
                  says: `is not a multiple of ${COLUMNS}, which Marlin's kernels need: slow kernels serve it where the engine has them, and it is refused otherwise`,
                },
              }
            : undefined,
        ),
};
