import type { Finding, Severity } from '../../plan/finding';
import type { ConfigNode, ConfigTree, Entry, Span } from '../../syntax/tree';
import {
  mapsOf,
  recognisePlacement,
  type PlacedRow,
  type PlacementFormat,
  type RecognisedPlacement,
} from './recognise';
import { checkLoads } from './validate-loads';

/** What the config that names the file knows; everything absent silences the conditions that need it. */
export interface PlacementContext {
  readonly experts?: number;
  /** Model layers, dense ones included. */
  readonly layers?: number;
  readonly gpus?: number;
  readonly slots?: number;
}

/** At most this many findings of one kind: a wrong GPU count makes every row wrong. */
const MOST_OF_A_RULE = 20;

/** Findings written down so far, with a limit a rule. */
interface Findings {
  readonly list: readonly Finding[];
  readonly add: (rule: string, severity: Severity, message: string, span: Span, source?: Finding['source']) => void;
}

function newFindings(): Findings {
  const list: Finding[] = [];
  const counts = new Map<string, number>();
  return {
    list,
    add: (rule, severity, message, span, source) => {
      const count = (counts.get(rule) ?? 0) + 1;
      counts.set(rule, count);
      if (count <= MOST_OF_A_RULE)
        list.push({ rule, severity, message, at: { span }, ...(source === undefined ? {} : { source }) });
    },
  };
}

const SOURCES: Readonly<Record<PlacementFormat, NonNullable<Finding['source']>>> = {
  'sglang-map': {
    framework: 'SGLang',
    repository: 'sgl-project/sglang',
    file: 'python/sglang/srt/eplb/expert_location.py',
    function: 'init_by_mapping',
  },
  'sglang-loads': {
    framework: 'SGLang',
    repository: 'sgl-project/sglang',
    file: 'python/sglang/srt/eplb/expert_location.py',
    function: 'init_by_eplb',
  },
  'sglang-dump': {
    framework: 'SGLang',
    repository: 'sgl-project/sglang',
    file: 'python/sglang/srt/eplb/expert_location.py',
    function: 'compute_initial_expert_location_metadata',
  },
  'trtllm-map': {
    framework: 'TensorRT-LLM',
    repository: 'NVIDIA/TensorRT-LLM',
    file: 'tensorrt_llm/llmapi/llm_args.py',
    function: 'MoeLoadBalancerConfig',
  },
  'vllm-offline-map': {
    framework: 'vLLM',
    repository: 'vllm-project/vllm',
    file: 'vllm/distributed/eplb/eplb_state.py',
  },
  'vllm-ranks': { framework: 'vLLM', repository: 'vllm-project/vllm', file: 'vllm/distributed/eplb/eplb_state.py' },
  'vllm-ascend-map': {
    framework: 'vLLM Ascend',
    repository: 'vllm-project/vllm-ascend',
    file: 'vllm_ascend/eplb/core/eplb_utils.py',
  },
};

/** Keys a format takes; others are refused by the frameworks that check. */
const KEYS: Readonly<Partial<Record<PlacementFormat, readonly string[]>>> = {
  'sglang-map': ['physical_to_logical_map'],
  'trtllm-map': ['num_slots', 'initial_global_assignments', 'layer_updates_per_iter'],
};

function checkKeys(found: RecognisedPlacement, out: Findings): void {
  const allowed = KEYS[found.format];
  if (allowed === undefined) return;
  const reason =
    found.format === 'sglang-map'
      ? 'SGLang passes every key of this file on as an argument and stops with a TypeError'
      : 'TensorRT-LLM forbids unknown keys in this file';
  for (const { key, keySpan } of found.root.entries) {
    if (!allowed.includes(key))
      out.add('placement-unknown-key', 'error', `${key}: ${reason}.`, keySpan, SOURCES[found.format]);
  }
}

/** The expert ids of a list, faults reported; undefined where an entry is no id. */
function idsOf(row: PlacedRow, node: ConfigNode, context: PlacementContext, out: Findings): number[] | undefined {
  const where = `Layer ${row.layer}`;
  if (node.kind !== 'list') {
    out.add('placement-not-a-list', 'error', `${where} must be a list of expert numbers.`, node.span);
    return undefined;
  }
  let fine = true;
  const ids = node.items.map((item, slot) => {
    const value = item.kind === 'scalar' ? item.value : null;
    const id = typeof value === 'number' ? value : Number.NaN;
    const shown = item.kind === 'scalar' ? item.raw : 'a list';
    const fault = !Number.isInteger(id)
      ? `is no whole number: a slot holds the number of one expert`
      : id < 0
        ? 'is negative: every slot must hold an expert'
        : context.experts !== undefined && id >= context.experts
          ? `is not below the number of experts, ${context.experts}`
          : undefined;
    if (fault !== undefined) {
      fine = false;
      out.add('placement-expert-number', 'error', `${where}, slot ${slot}: ${shown} ${fault}.`, item.span);
    }
    return id;
  });
  return fine ? ids : undefined;
}

function checkMissing(row: PlacedRow, ids: readonly number[], experts: number, out: Findings): void {
  const held = new Set(ids);
  const missing: number[] = [];
  for (let expert = 0; expert < experts; expert += 1) if (!held.has(expert)) missing.push(expert);
  if (missing.length === 0) return;
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
  const names = `${missing.slice(0, 5).join(', ')}${more}`;
  const verb = missing.length === 1 ? `expert ${names} has` : `experts ${names} have`;
  out.add(
    'placement-expert-missing',
    'error',
    `Layer ${row.layer}: logical ${verb} no replica, so tokens for it have nowhere to go.`,
    row.node.span,
  );
}

function checkDuplicates(
  row: PlacedRow,
  devices: readonly (readonly number[])[],
  strict: boolean,
  out: Findings,
): void {
  devices.forEach((ids, gpu) => {
    const seen = new Set<number>();
    for (const expert of ids) {
      if (seen.has(expert))
        out.add(
          'placement-duplicate-on-gpu',
          strict ? 'error' : 'warning',
          `Layer ${row.layer}: GPU ${gpu} holds expert ${expert} more than once; the further slot takes memory and shares no load${strict ? ', and vLLM Ascend maps only one of them' : ''}.`,
          row.node.span,
        );
      seen.add(expert);
    }
  });
}

function split(ids: readonly number[], gpus: number): number[][] {
  const size = ids.length / gpus;
  return Array.from({ length: gpus }, (_, gpu) => ids.slice(gpu * size, (gpu + 1) * size));
}

/** One row with the ids of its devices; a plain row is one device as long as nothing says how many GPUs there are. */
function checkRow(row: PlacedRow, context: PlacementContext, out: Findings): readonly number[] | undefined {
  const parts = (row.devices ?? [row.node]).map((node) => idsOf(row, node, context, out));
  if (parts.some((part) => part === undefined)) return undefined;
  const devices = parts as number[][];
  const ids = devices.flat();
  const sizes = new Set(devices.map((part) => part.length));
  if (sizes.size > 1)
    out.add(
      'placement-uneven-devices',
      'error',
      `Layer ${row.layer}: devices hold ${[...sizes].join(' and ')} experts; all must hold the same number.`,
      row.node.span,
    );
  if (row.devices !== undefined) checkDuplicates(row, devices, true, out);
  else if (context.gpus !== undefined && ids.length % context.gpus === 0)
    checkDuplicates(row, split(ids, context.gpus), false, out);
  return ids;
}

function checkWidth(width: number, found: RecognisedPlacement, context: PlacementContext, out: Findings): void {
  const { gpus, slots } = context;
  if (gpus !== undefined && found.format !== 'vllm-ascend-map' && width % gpus !== 0) {
    const below = Math.floor(width / gpus) * gpus;
    const near = [below, below + gpus].filter((value) => value >= (context.experts ?? 1));
    out.add(
      'placement-slots-not-divisible',
      'error',
      `${width} slots cannot be split over ${gpus} expert-parallel ranks; the nearest legal numbers are ${near.join(' and ')}.`,
      found.main.keySpan,
      SOURCES[found.format],
    );
  } else if (slots !== undefined && width !== slots)
    out.add(
      'placement-wrong-slots',
      'error',
      `Rows have ${width} slots, but the config has ${slots} (experts and redundant experts together).`,
      found.main.keySpan,
      SOURCES[found.format],
    );
}

function checkRows(
  rows: readonly PlacedRow[],
  found: RecognisedPlacement,
  context: PlacementContext,
  out: Findings,
): void {
  const placed = rows.map((row) => ({ row, ids: checkRow(row, context, out) }));
  const width = placed.find(({ ids }) => ids !== undefined)?.ids?.length;
  if (width === undefined) return;
  checkWidth(width, found, context, out);
  // Without a config the largest number in the file tells how many experts there are at least.
  const all = placed.flatMap(({ ids }) => ids ?? []);
  const experts = context.experts ?? all.reduce((most, id) => Math.max(most, id), 0) + 1;
  for (const { row, ids } of placed) {
    if (ids === undefined) continue;
    if (ids.length !== width)
      out.add(
        'placement-ragged',
        'error',
        `Layer ${row.layer} has ${ids.length} slots where the first row has ${width}: rows must be of one length.`,
        row.node.span,
      );
    else checkMissing(row, ids, experts, out);
  }
}

function scalarOf(entry: Entry | undefined): number | undefined {
  const value = entry?.value.kind === 'scalar' ? entry.value.value : undefined;
  return typeof value === 'number' ? value : undefined;
}

function checkTrtllm(found: RecognisedPlacement, rows: readonly PlacedRow[], out: Findings): void {
  const slots = scalarOf(found.root.entries.find(({ key }) => key === 'num_slots'));
  const known = rows.filter(({ layer }) => Number.isInteger(layer));
  for (const { node, layer } of known) {
    if (slots !== undefined && node.kind === 'list' && node.items.length !== slots)
      out.add(
        'placement-wrong-slots',
        'error',
        `Layer ${layer} assigns ${node.items.length} slots, but num_slots is ${slots}.`,
        node.span,
        SOURCES['trtllm-map'],
      );
  }
  known.slice(1).forEach(({ layer, node }, index) => {
    const before = known[index]?.layer ?? layer;
    if (layer <= before + 1) return;
    const gap = layer === before + 2 ? `layer ${before + 1} is` : `layers ${before + 1} to ${layer - 1} are`;
    out.add(
      'placement-layer-missing',
      'error',
      `Between ${before} and ${layer} ${gap} missing; keys are model layers, and every MoE layer needs its row.`,
      node.span,
      SOURCES['trtllm-map'],
    );
  });
}

function checkLayers(found: RecognisedPlacement, count: number, { layers }: PlacementContext, out: Findings): void {
  if (layers === undefined || count === layers || !found.format.startsWith('sglang')) return;
  out.add(
    'placement-wrong-layers',
    'error',
    `The file has ${count} rows, but SGLang indexes it by model layer and the model has ${layers} layers, dense ones included.`,
    found.main.keySpan,
    SOURCES[found.format],
  );
}

/** vLLM's file of one rank an expert: ranks below the number of ranks, the same number of experts on each. */
function checkRanks(found: RecognisedPlacement, { gpus, experts }: PlacementContext, out: Findings): void {
  const { value } = found.main;
  if (value.kind !== 'list') return;
  if (experts !== undefined && value.items.length !== experts)
    out.add(
      'placement-expert-missing',
      'error',
      `The list has ${value.items.length} entries for ${experts} experts.`,
      found.main.keySpan,
    );
  const held = new Map<number, number>();
  value.items.forEach((item, expert) => {
    const rank = item.kind === 'scalar' && typeof item.value === 'number' ? item.value : Number.NaN;
    if (!Number.isInteger(rank) || rank < 0 || (gpus !== undefined && rank >= gpus))
      out.add(
        'placement-rank-number',
        'error',
        `Expert ${expert}: ${item.kind === 'scalar' ? item.raw : 'a list'} is no rank${gpus === undefined ? '' : ` below the expert-parallel size, ${gpus}`}.`,
        item.span,
      );
    else held.set(rank, (held.get(rank) ?? 0) + 1);
  });
  const sizes = [...new Set(held.values())].sort((a, b) => a - b);
  if (sizes.length > 1)
    out.add(
      'placement-uneven-devices',
      'error',
      `Ranks hold ${sizes.join(' and ')} experts; every rank must hold the same number.`,
      found.main.keySpan,
    );
}

/**
 * Findings of a file of expert loads or of a placement, each at its place; empty for files of other kinds. Conditions that need what the
 * naming config knows stay silent without it.
 */
export function checkPlacementFile(tree: ConfigTree, context: PlacementContext = {}): readonly Finding[] {
  const found = recognisePlacement(tree);
  if (found === undefined) return [];
  const out = newFindings();
  checkKeys(found, out);
  if (found.format === 'sglang-dump') {
    out.add(
      'placement-not-usable',
      'error',
      'A per-pass or per-token recording is no initial expert location: SGLang stops with NotImplementedError. Record with the mode "stat".',
      found.main.keySpan,
      SOURCES['sglang-dump'],
    );
  } else if (found.format === 'vllm-ranks') checkRanks(found, context, out);
  else if (found.format === 'sglang-loads') checkLayers(found, checkLoads(found, context.experts, out), context, out);
  else
    for (const rows of mapsOf(found)) {
      checkRows(rows, found, context, out);
      if (found.format === 'trtllm-map') checkTrtllm(found, rows, out);
      checkLayers(found, rows.length, context, out);
    }
  return out.list;
}
