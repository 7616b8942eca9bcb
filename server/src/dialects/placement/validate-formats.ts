import type { Fix } from '../../plan/finding';
import { removeEntry } from '../../syntax/edits';
import type { ConfigTree } from '../../syntax/tree';
import { placementModels } from './models';
import { find, numberAt, TRTLLM_KEYS, type PlacedRow, type RecognisedPlacement } from './recognise';
import type { PlacementContext, Sink } from './sink';
import { nearestSlots } from './validate-rows';

const TRTLLM_STRICT = 'TensorRT-LLM forbids unknown keys in this file';
const SGLANG_STRICT = 'SGLang passes every key of this file on as an argument and stops with a TypeError';

/** Keys beside the known ones, where the framework stops at them. */
export function checkKeys({ format, root }: RecognisedPlacement, { language, text }: ConfigTree, out: Sink): void {
  const [allowed, reason] =
    format === 'sglang-map'
      ? [['physical_to_logical_map'], SGLANG_STRICT]
      : format === 'trtllm-map'
        ? [TRTLLM_KEYS, TRTLLM_STRICT]
        : [];
  if (allowed === undefined) return;
  for (const { key, keySpan } of root.entries)
    if (!allowed.includes(key)) {
      const edits = removeEntry(root, key, language, text).map(({ span, newText }) => ({ at: { span }, newText }));
      const fixes = edits.length === 0 ? [] : [{ title: `Remove ${key}`, edits, preferred: true }];
      out.add('placement-unknown-key', 'error', `${key}: ${reason}.`, keySpan, fixes);
    }
}

/** num_slots and layer_updates_per_iter must be whole numbers; the first is divided by without a check. */
function checkTrtllmNumbers({ root, main }: RecognisedPlacement, context: PlacementContext, out: Sink): void {
  const slots = find(root, 'num_slots');
  if (slots === undefined)
    out.add(
      'placement-wrong-slots',
      'error',
      'num_slots is missing: TensorRT-LLM divides it by the ranks.',
      main.keySpan,
    );
  for (const key of ['num_slots', 'layer_updates_per_iter']) {
    const entry = find(root, key);
    const value = entry?.value;
    if (entry === undefined || (value?.kind === 'scalar' && value.unresolved)) continue;
    const number = numberAt(root, key);
    const least = key === 'num_slots' ? 1 : 0;
    if (number === undefined || !Number.isInteger(number) || number < least)
      out.add(
        'placement-wrong-slots',
        'error',
        `${key}: ${value?.kind === 'scalar' ? value.raw : 'a list'} is no whole number of at least ${least}.`,
        entry.value.span,
      );
  }
  const count = numberAt(root, 'num_slots');
  if (slots === undefined || count === undefined) return;
  const { gpus, experts } = context;
  if (experts !== undefined && count < experts)
    out.add(
      'placement-wrong-slots',
      'error',
      `num_slots is ${count}, but the model has ${experts} experts and each needs a slot.`,
      slots.value.span,
    );
  else if (gpus !== undefined && gpus > 0 && count % gpus !== 0)
    out.add(
      'placement-slots-not-divisible',
      'error',
      `num_slots ${count} cannot be split over ${gpus} expert-parallel ranks; ${nearestSlots(count, gpus, experts)}.`,
      slots.value.span,
    );
}

/** Missing layers between those that are there; an even stride is a model whose every so-manieth layer has experts. */
function checkGaps(known: readonly PlacedRow[], out: Sink): void {
  const steps = known.slice(1).map(({ layer }, index) => layer - (known[index]?.layer ?? layer));
  if (steps.length >= 2 && steps.every((step) => step === steps[0])) return;
  known.slice(1).forEach(({ layer, node, keySpan }, index) => {
    const before = known[index]?.layer ?? layer;
    if (layer <= before + 1) return;
    const gap = layer === before + 2 ? `layer ${before + 1} is` : `layers ${before + 1} to ${layer - 1} are`;
    out.add(
      'placement-layer-missing',
      'error',
      `Between ${before} and ${layer} ${gap} missing; keys are model layers, and every MoE layer needs its row.`,
      keySpan ?? node.span,
    );
  });
}

/** Layers against those of the model that have experts. */
function checkModelLayers(
  known: readonly PlacedRow[],
  flags: readonly boolean[],
  main: RecognisedPlacement['main'],
  out: Sink,
): void {
  const held = new Set(known.map(({ layer }) => layer));
  const missing = flags.flatMap((moe, layer) => (moe && !held.has(layer) ? [layer] : []));
  if (missing.length > 0)
    out.add(
      'placement-layer-missing',
      'error',
      `No row for model layer ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''}, which ${missing.length === 1 ? 'has' : 'have'} experts: TensorRT-LLM stops with a KeyError.`,
      main.keySpan,
    );
  for (const { layer, node, keySpan } of known)
    if (flags[layer] !== true)
      out.add(
        'placement-wrong-layers',
        'warning',
        `Layer ${layer} ${layer < flags.length ? 'has no experts in this model' : `is beyond the model's ${flags.length} layers`}: keys are model layers, dense ones counted, and this row is never read.`,
        keySpan ?? node.span,
      );
}

/** Where all rows agree, num_slots is what is wrong. */
function slotsFix({ root }: RecognisedPlacement, rows: readonly PlacedRow[]): Fix[] {
  const widths = new Set(rows.map(({ node }) => (node.kind === 'list' ? node.items.length : 0)));
  const [width] = widths;
  const entry = find(root, 'num_slots');
  if (widths.size !== 1 || width === undefined || entry === undefined) return [];
  const edits = [{ at: { span: entry.value.span }, newText: String(width) }];
  return [{ title: `Set num_slots to ${width}, as all rows have it`, edits, preferred: true }];
}

/** What TensorRT-LLM asks of its balancer file beside rows of expert numbers. */
export function checkTrtllm(
  found: RecognisedPlacement,
  rows: readonly PlacedRow[],
  context: PlacementContext,
  out: Sink,
): void {
  checkTrtllmNumbers(found, context, out);
  const slots = numberAt(found.root, 'num_slots');
  for (const { layer, node, keySpan } of rows) {
    if (!Number.isInteger(layer) || layer < 0)
      out.add(
        'placement-wrong-layers',
        'error',
        'Keys of initial_global_assignments are model layers: whole numbers from 0.',
        keySpan ?? node.span,
      );
    else if (slots !== undefined && node.kind === 'list' && node.items.length !== slots)
      out.add(
        'placement-wrong-slots',
        'error',
        `Layer ${layer} assigns ${node.items.length} slots, but num_slots is ${slots}.`,
        node.span,
        slotsFix(found, rows),
      );
  }
  const known = rows.filter(({ layer }) => Number.isInteger(layer)).sort((a, b) => a.layer - b.layer);
  if (found.main.key !== 'initial_global_assignments') return;
  if (known.length === 0) {
    // Keys that are no layers have been told above.
    if (rows.length === 0 && found.main.value.kind === 'map')
      out.add(
        'placement-layer-missing',
        'error',
        'initial_global_assignments has no layer; leave it out to start from an even spread.',
        found.main.keySpan,
      );
  } else if (context.moeLayers === undefined) checkGaps(known, out);
  else checkModelLayers(known, context.moeLayers, found.main, out);
}

/** SGLang indexes by model layer; without a model, a count that only the MoE layers of a known model have is told. */
export function checkLayers(found: RecognisedPlacement, count: number, { layers }: PlacementContext, out: Sink): void {
  if (!found.format.startsWith('sglang') || count === 0) return;
  if (layers !== undefined && count !== layers)
    out.add(
      'placement-wrong-layers',
      'error',
      `The file has ${count} rows, but SGLang indexes it by model layer and the model has ${layers} layers, dense ones included.`,
      found.main.keySpan,
    );
  if (layers !== undefined) return;
  const models = placementModels();
  const meant = models.some((model) => model.layers === count)
    ? undefined
    : models.find((model) => model.moeLayers === count);
  if (meant !== undefined)
    out.add(
      'placement-wrong-layers',
      'warning',
      `The file has ${count} rows, as many as ${meant.name} has MoE layers; SGLang indexes it by model layer and wants ${meant.layers} rows, dense ones included.`,
      found.main.keySpan,
    );
}

/** vLLM's file of one rank an expert: ranks below the number of ranks, the same number of experts on each. */
export function checkRanks({ main }: RecognisedPlacement, { gpus, experts }: PlacementContext, out: Sink): void {
  const { value } = main;
  if (value.kind !== 'list') {
    out.add('placement-not-a-list', 'error', 'expert_to_ep_rank must be a list of ranks, one an expert.', value.span);
    return;
  }
  if (experts !== undefined && value.items.length !== experts)
    out.add(
      'placement-expert-missing',
      'error',
      `The list has ${value.items.length} entries for ${experts} experts.`,
      main.keySpan,
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
  checkRankSizes(held, gpus, main, out);
}

function checkRankSizes(
  held: ReadonlyMap<number, number>,
  gpus: number | undefined,
  main: RecognisedPlacement['main'],
  out: Sink,
): void {
  const ranks = gpus ?? [...held.keys()].reduce((most, rank) => Math.max(most, rank), -1) + 1;
  const counts = Array.from({ length: Math.min(ranks, 65_536) }, (_, rank) => held.get(rank) ?? 0);
  const sizes = [...new Set(counts)].sort((a, b) => a - b);
  if (sizes.length <= 1) return;
  const odd = counts.findIndex((size) => size !== counts[0]);
  out.add(
    'placement-uneven-devices',
    'error',
    `Ranks hold ${sizes.join(' and ')} experts (rank ${odd}: ${counts[odd] ?? 0}, rank 0: ${counts[0] ?? 0}); every rank must hold the same number.`,
    main.keySpan,
  );
}

/** Counts that vllm-ascend's file states beside its lists: its reader goes by the numbers and indexes the lists with them. */
export function checkAscend({ root, main }: RecognisedPlacement, out: Sink): void {
  const layers = main.value.kind === 'list' ? main.value.items : [];
  const stated = numberAt(root, 'moe_layer_count');
  const at = find(root, 'moe_layer_count')?.value.span ?? main.keySpan;
  if (stated !== undefined && stated !== layers.length)
    out.add(
      'placement-wrong-layers',
      stated > layers.length ? 'error' : 'warning',
      `moe_layer_count is ${stated}, but layer_list has ${layers.length} layers.`,
      at,
    );
  const counts = layers.map((layer) => numberAt(layer, 'device_count'));
  layers.forEach((layer, index) => {
    const devices = find(layer, 'device_list');
    const count = find(layer, 'device_count');
    if (devices === undefined) {
      out.add('placement-not-a-list', 'error', `Layer ${index} has no device_list.`, layer.span);
      return;
    }
    const length = devices.value.kind === 'list' ? devices.value.items.length : 0;
    const bare =
      devices.value.kind === 'list'
        ? devices.value.items.findIndex((device) => find(device, 'device_expert') === undefined)
        : -1;
    if (bare >= 0 && devices.value.kind === 'list')
      out.add(
        'placement-not-a-list',
        'error',
        `Layer ${index}, device ${bare} has no device_expert.`,
        devices.value.items[bare]?.span ?? devices.keySpan,
      );
    if (counts[index] !== undefined && counts[index] !== length)
      out.add(
        'placement-uneven-devices',
        'warning',
        `Layer ${numberAt(layer, 'layer_id') ?? index}: device_count is ${counts[index]}, but device_list has ${length} devices.`,
        count?.value.span ?? devices.keySpan,
      );
    else if (counts[index] !== counts[0])
      out.add(
        'placement-uneven-devices',
        'error',
        `Layer ${numberAt(layer, 'layer_id') ?? index} has ${counts[index] ?? 'no'} devices where the first layer has ${counts[0] ?? 'none'}.`,
        count?.value.span ?? devices.keySpan,
      );
  });
}
