import type { Finding, Severity } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import type { ModelSpec } from '../../engine/model/spec';
import type { MapNode } from '../../syntax/tree';
import type { Coverage } from '../common/conditions';
import { placeOf } from '../common/nodes';
import { trtDegrees } from './layout';
import { trtSource } from './source';
import { layoutIsHere, type TrtValues } from './values';

/** What else is known of one server. */
export interface TrtAround {
  readonly model?: ModelSpec;
  /** `kv_cache_quant_algo` of the checkpoint. */
  readonly cacheFormat?: string;
  /** Slots of a load balancer file, and the layers that it names. */
  readonly slots?: number;
  readonly placement?: MapNode;
}

interface ModelRule {
  readonly rule: string;
  readonly severity: Severity;
  readonly covers: readonly string[];
  readonly keys: readonly string[];
  readonly source: readonly [file: string, fn: string];
  readonly says: (values: TrtValues, around: TrtAround) => string | undefined;
}

const BALANCER = '_torch/modules/fused_moe/moe_load_balancer.py';
const BALANCE = 'moe_config.load_balancer';

/** Rows of a placement by layer, of the section in the file or of the file that it names. */
function rowsOf(values: TrtValues, { placement }: TrtAround): MapNode | undefined {
  const inline = values.node(`${BALANCE}.initial_global_assignments`);
  return inline?.kind === 'map' ? inline : placement;
}

const RULES: readonly ModelRule[] = [
  {
    rule: 'stages-above-layers',
    severity: 'error',
    covers: ['TR-PAR04'],
    keys: ['pipeline_parallel_size'],
    source: ['mapping.py', 'Mapping.pp_layers'],
    says: (values, { model }) => {
      const stages = values.integer('pipeline_parallel_size') ?? 1;
      return model !== undefined && stages > model.layers
        ? `pipeline_parallel_size ${stages} is more than the ${model.layers} layers of ${model.name}.`
        : undefined;
    },
  },
  {
    rule: 'stage-layers-mismatch',
    severity: 'error',
    covers: ['TR-PAR05'],
    keys: ['pp_partition'],
    source: ['mapping.py', 'Mapping.pp_layers'],
    says: (values, { model }) => {
      const parts = values.words('pp_partition')?.map(Number) ?? [];
      const sum = parts.reduce((total, count) => total + count, 0);
      return model !== undefined && parts.length > 0 && Number.isFinite(sum) && sum !== model.layers
        ? `pp_partition adds up to ${sum} layers, and ${model.name} has ${model.layers}.`
        : undefined;
    },
  },
  {
    rule: 'kv-format-unsupported',
    severity: 'error',
    covers: ['TR-Q02'],
    keys: ['kv_cache_config.dtype'],
    source: ['_torch/model_config.py', 'ModelConfig.load_modelopt_quant_config'],
    says: (values, { cacheFormat }) => {
      const word = values.text('kv_cache_config.dtype')?.toLowerCase();
      const own = cacheFormat?.toLowerCase();
      return word === undefined || word === 'auto' || own === undefined || own === 'none' || word === own
        ? undefined
        : `\`dtype: ${word}\` is not the \`kv_cache_quant_algo: ${cacheFormat ?? ''}\` of the checkpoint; leave it at auto, which follows the checkpoint.`;
    },
  },
  {
    rule: 'slots-not-divisible',
    severity: 'error',
    covers: ['TR-EPLB01'],
    keys: [BALANCE],
    source: [BALANCER, 'MoeLoadBalancerConfig'],
    says: (values, { slots }) => {
      const { experts } = trtDegrees(values);
      return layoutIsHere(values) &&
        slots !== undefined &&
        experts !== undefined &&
        experts > 1 &&
        slots % experts !== 0
        ? `The ${slots} slots of this file do not divide over ${experts} expert ranks.`
        : undefined;
    },
  },
  {
    rule: 'slots-below-experts',
    severity: 'error',
    covers: ['TR-EPLB06'],
    keys: [`${BALANCE}.num_slots`, BALANCE],
    source: [BALANCER, 'MoeLoadBalancerConfig'],
    says: (values, { model, slots }) => {
      const count = values.integer(`${BALANCE}.num_slots`) ?? slots;
      return count !== undefined && model?.experts !== undefined && count > 0 && count < model.experts
        ? `${count} slots are fewer than the ${model.experts} experts of ${model.name}: some would stand nowhere.`
        : undefined;
    },
  },
  {
    rule: 'placement-layer-missing',
    severity: 'error',
    covers: ['TR-EPLB03'],
    keys: [BALANCE],
    source: [BALANCER, 'MoeLoadBalancerConfig.get_layer_initial_global_assignments'],
    says: (values, around) => {
      const layers = around.model?.moeLayers;
      const rows = rowsOf(values, around);
      if (layers === undefined || rows === undefined || rows.entries.length === 0) return undefined;
      const given = new Set(rows.entries.map(({ key }) => Number(key)));
      const missing = layers.findIndex((moe, layer) => moe && !given.has(layer));
      return missing < 0
        ? undefined
        : `initial_global_assignments has no row for layer ${missing}, which has experts; every such layer needs one.`;
    },
  },
  {
    rule: 'placement-expert-missing',
    severity: 'warning',
    covers: ['TR-EPLB06'],
    keys: [`${BALANCE}.initial_global_assignments`],
    source: [BALANCER, 'MoeLoadBalancerConfig'],
    says: (values, around) => {
      const experts = around.model?.experts;
      const inline = values.node(`${BALANCE}.initial_global_assignments`);
      if (experts === undefined || inline?.kind !== 'map') return undefined;
      for (const { key, value } of inline.entries) {
        if (value.kind !== 'list') continue;
        const given = new Set(value.items.map((item) => (item.kind === 'scalar' ? Number(item.value) : Number.NaN)));
        const far = [...given].find((expert) => !(expert >= 0 && expert < experts));
        if (far !== undefined)
          return `Layer ${key} names expert ${far}; ${around.model?.name ?? 'the model'} has 0 to ${experts - 1}.`;
        const lost = Array.from({ length: experts }, (_, expert) => expert).find((expert) => !given.has(expert));
        if (lost !== undefined)
          return `Layer ${key} gives no slot to expert ${lost}, so its tokens have nowhere to go.`;
      }
      return undefined;
    },
  },
];

/** Findings that need the model, the checkpoint or the load balancer's file. */
export function checkTrtModel(values: TrtValues, resolved: ResolvedPlan, around: Omit<TrtAround, 'model'>): Finding[] {
  const known: TrtAround = { ...around, ...(resolved.model === undefined ? {} : { model: resolved.model }) };
  return RULES.flatMap((rule): Finding[] => {
    if (rule.keys.some((key) => values.unknown(key))) return [];
    const message = rule.says(values, known);
    const entry = rule.keys.map((key) => values.entry(key)).find((found) => found !== undefined);
    if (message === undefined) return [];
    const at = entry === undefined ? {} : { at: placeOf(entry) };
    return [{ rule: rule.rule, severity: rule.severity, message, ...at, source: trtSource(...rule.source) }];
  });
}

export const trtModelCoverage: readonly Coverage[] = RULES.map(({ rule, covers }) => ({ rule, covers }));
