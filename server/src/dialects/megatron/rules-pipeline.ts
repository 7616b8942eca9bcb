import { layerCounts } from './pipeline-layout';
import { CONFIG, LAUNCHER, PARALLEL_STATE } from './sources';
import { above, checks, countOf, degreeOf, isGiven, label, off, on, type Check, type MegatronValues } from './values';

const PIPELINE = 'pipeline_model_parallel_size';
const EACH = 'num_layers_per_virtual_pipeline_stage';
const CHUNKS = 'num_virtual_stages_per_pipeline_rank';
const LAYOUT = 'pipeline_model_parallel_layout';
const FIRST = 'decoder_first_pipeline_num_layers';
const LAST = 'decoder_last_pipeline_num_layers';
const EMBEDDING = 'account_for_embedding_in_pipeline_split';
const LOSS = 'account_for_loss_in_pipeline_split';

function layersOf(values: MegatronValues): number | undefined {
  return values.integer('num_layers') ?? values.integer('decoder_num_layers');
}

/** Layers that are dealt out, embedding and loss counted where they are to be. */
function dealt(values: MegatronValues): number | undefined {
  const layers = layersOf(values);
  return layers === undefined
    ? undefined
    : layers + (values.flag(EMBEDDING) === true ? 1 : 0) + (values.flag(LOSS) === true ? 1 : 0);
}

/** Chunks of a rank, where they are given as a number. */
function chunksOf(values: MegatronValues): number | undefined {
  if (values.entry(EACH) !== undefined || values.entry(LAYOUT) !== undefined) return undefined;
  return values.entry(CHUNKS) === undefined ? 1 : values.integer(CHUNKS);
}

function interleaved(values: MegatronValues): boolean {
  const chunks = values.integer(CHUNKS) ?? values.integer('virtual_pipeline_model_parallel_size');
  if (chunks !== undefined) return chunks > 1;
  const each = values.integer(EACH);
  const total = dealt(values);
  const ranks = degreeOf(values, PIPELINE);
  return each !== undefined && total !== undefined && ranks !== undefined && total / ranks / each > 1;
}

const chunkSizes: Check = {
  rule: 'virtual-stages-not-divisible',
  severity: 'error',
  covers: ['MEG-016', 'MEG-017'],
  keys: [EACH, PIPELINE, 'num_layers', EMBEDDING, LOSS],
  source: LAUNCHER,
  says: (values) => {
    const each = values.integer(EACH);
    const total = dealt(values);
    const ranks = degreeOf(values, PIPELINE);
    if (isGiven(values, 'hybrid_layer_pattern')) return undefined;
    if (each === undefined || each < 1 || total === undefined || ranks === undefined || ranks <= 1) return undefined;
    const counted = total === layersOf(values) ? '' : ' (embedding and loss counted)';
    if (total % ranks !== 0)
      return `${total} layers${counted} do not divide over ${ranks} pipeline ranks, so they cannot be cut into chunks of ${each}.`;
    const perRank = total / ranks;
    if (perRank % each === 0) return undefined;
    const legal = [...Array(Math.min(perRank, 4096)).keys()].map((n) => n + 1).filter((n) => perRank % n === 0);
    const near = legal.toSorted((a, b) => Math.abs(a - each) - Math.abs(b - each))[0] ?? 1;
    return `${label(values, EACH)} ${each} does not divide the ${perRank} layers of a pipeline rank${counted}; the nearest legal value is ${near}.`;
  },
};

/** First and last stage are sized by hand, the rest shared evenly: what is left must come out whole. */
function unevenFault(values: MegatronValues): string | undefined {
  const layers = layersOf(values);
  const ranks = degreeOf(values, PIPELINE);
  const chunks = chunksOf(values);
  const ends = [FIRST, LAST].filter((name) => values.entry(name) !== undefined);
  if (layers === undefined || ranks === undefined || chunks === undefined || ends.length === 0) return undefined;
  if (isGiven(values, 'hybrid_layer_pattern')) return undefined;
  let left = layers;
  for (const name of ends) {
    const count = values.integer(name);
    if (count === undefined) return undefined;
    if (count <= 0) return `${label(values, name)} ${count} must be larger than 0.`;
    if (count % chunks !== 0)
      return `${label(values, name)} ${count} is no multiple of the ${chunks} virtual stages of its rank.`;
    left -= count;
  }
  const middle = ranks - ends.length;
  if (middle < 0) return undefined;
  if (left < 0) return `First and last stage take more layers than the ${layers} there are.`;
  if ((left === 0) !== (middle === 0))
    return `${left} layers are left for ${middle} pipeline ranks between the first and the last.`;
  if (middle === 0) return undefined;
  const step = middle * chunks;
  if (left % step === 0) return undefined;
  const over = chunks > 1 ? `${middle} ranks × ${chunks} virtual stages = ${step}` : `${middle}`;
  return `${left} of ${layers} layers are left for the pipeline ranks in between and do not divide over ${over}.`;
}

const uneven: Check = {
  rule: 'uneven-split-invalid',
  severity: 'error',
  covers: ['MEG-126', 'MEG-127'],
  keys: [FIRST, LAST, 'num_layers', PIPELINE, CHUNKS],
  source: CONFIG,
  says: unevenFault,
};

const layoutCounts: Check = {
  rule: 'pipeline-layout',
  severity: 'error',
  covers: ['MEG-151', 'MEG-152'],
  keys: [LAYOUT, 'num_layers', 'mtp_num_layers'],
  source: { ...CONFIG, function: 'PipelineParallelLayerLayout.validate_layer_layout' },
  says: (values) => {
    const counts = layerCounts(values.text(LAYOUT));
    if (counts === undefined) return undefined;
    const layers = layersOf(values);
    if (layers !== undefined && counts.layers !== layers)
      return `The layout places ${counts.layers} decoder layers t, but ${label(values, 'num_layers')} is ${layers}.`;
    const extra =
      values.integer('mtp_num_layers') ??
      (values.sized && values.entry('mtp_num_layers') === undefined ? 0 : undefined);
    return extra === undefined || counts.mtp === extra
      ? undefined
      : `The layout places ${counts.mtp} multi-token-prediction layers m, but ${label(values, 'mtp_num_layers')} is ${extra}.`;
  },
};

/** What interleaving and its flags ask of the pipeline. */
export const pipelineChecks: readonly Check[] = [
  chunkSizes,
  uneven,
  layoutCounts,
  ...checks(LAUNCHER, [
    {
      rule: 'interleaving-needs-pipeline',
      covers: ['MEG-019'],
      keys: [CHUNKS, EACH, PIPELINE],
      when: (values) => interleaved(values) && degreeOf(values, PIPELINE) === 1,
      says: (values) =>
        `Interleaving cuts the layers of pipeline ranks into chunks, but ${label(values, PIPELINE)} is 1; the nearest legal value is 2.`,
    },
    {
      rule: 'interleaving-needs-pipeline',
      covers: ['MEG-020'],
      keys: ['overlap_p2p_comm', PIPELINE, CHUNKS, EACH],
      when: (values) => interleaved(values) && off(values, 'overlap_p2p_comm') && degreeOf(values, PIPELINE) === 2,
      says: 'Without overlapped communication two pipeline ranks would send and receive twice at once while interleaved; use 3 ranks or more, or drop `--no-overlap-p2p-communication`.',
    },
    {
      rule: 'setting-without-effect',
      severity: 'information',
      covers: ['MEG-021'],
      keys: ['overlap_p2p_comm', 'align_param_gather', PIPELINE, CHUNKS, EACH, LAYOUT],
      when: (values) =>
        above(values, PIPELINE) &&
        ['overlap_p2p_comm', 'align_param_gather'].some(
          (name) => values.entry(name) !== undefined && values.flag(name) === true,
        ) &&
        values.complete !== false &&
        !interleaved(values) &&
        !isGiven(values, LAYOUT),
      says: 'Only the interleaved schedule overlaps pipeline communication: without virtual stages Megatron-LM switches it, and aligned parameter gathers, off.',
    },
    {
      rule: 'hybrid-pattern-conflict',
      covers: ['MEG-068'],
      keys: ['hybrid_layer_pattern', EACH, CHUNKS, LAYOUT, EMBEDDING, LOSS, FIRST, LAST],
      when: (values) =>
        isGiven(values, 'hybrid_layer_pattern') &&
        [
          ...[EACH, CHUNKS, LAYOUT, EMBEDDING, LOSS],
          ...((hybridSegments(values.text('hybrid_layer_pattern')) ?? 1) > 1 ? [FIRST, LAST] : []),
        ].some((name) => isGiven(values, name)),
      says: 'A hybrid layer pattern states its pipeline stages itself, by `|`; no other split may stand beside it.',
    },
    {
      rule: 'hybrid-pattern-conflict',
      covers: ['MEG-069'],
      keys: ['hybrid_layer_pattern', PIPELINE],
      when: (values) => {
        const segments = hybridSegments(values.text('hybrid_layer_pattern'));
        const ranks = degreeOf(values, PIPELINE);
        return segments !== undefined && ranks !== undefined && segments > 1 && segments % ranks !== 0;
      },
      says: (values) =>
        `The ${hybridSegments(values.text('hybrid_layer_pattern')) ?? 0} segments of the hybrid layer pattern do not divide over ${degreeOf(values, PIPELINE) ?? 0} pipeline ranks.`,
    },
  ]),
  ...checks(PARALLEL_STATE, [
    {
      rule: 'interleaving-needs-pipeline',
      covers: [],
      keys: ['virtual_pipeline_model_parallel_size', PIPELINE],
      when: (values) =>
        (values.integer('virtual_pipeline_model_parallel_size') ?? 1) > 1 && values.integer(PIPELINE) === 1,
      says: (values) =>
        `Virtual stages are chunks of pipeline ranks, but ${label(values, PIPELINE)} is 1; the nearest legal value is 2.`,
    },
  ]),
  ...checks(CONFIG, [
    {
      rule: 'context-exchange-count',
      covers: ['MEG-142'],
      keys: ['cp_comm_type', 'num_layers', 'context_parallel_size'],
      when: (values) => {
        const kinds = values.words('cp_comm_type')?.length ?? 0;
        const layers = layersOf(values);
        return above(values, 'context_parallel_size') && kinds > 1 && layers !== undefined && kinds !== layers;
      },
      says: (values) =>
        `${label(values, 'cp_comm_type')} names ${values.words('cp_comm_type')?.length ?? 0} kinds of exchange for ${layersOf(values) ?? 0} layers; it takes one for all or one a layer.`,
    },
    {
      rule: 'fp8-edge-layers-out-of-range',
      covers: ['MEG-103'],
      keys: [
        'num_layers_at_start_in_bf16',
        'num_layers_at_end_in_bf16',
        'num_layers',
        PIPELINE,
        'first_last_layers_bf16',
        'fp8',
      ],
      when: (values) => edgeLayers(values) !== undefined,
      says: (values) => edgeLayers(values) ?? '',
    },
  ]),
];

/** Segments of a hybrid pattern; predicted tokens stand behind `/` and are no stages. */
function hybridSegments(pattern: string | undefined): number | undefined {
  return pattern === undefined ? undefined : (pattern.split('/')[0] ?? '').split('|').length;
}

function edgeLayers(values: MegatronValues): string | undefined {
  const layers = layersOf(values);
  const ranks = degreeOf(values, PIPELINE);
  if (!on(values, 'first_last_layers_bf16') || !isGiven(values, 'fp8') || layers === undefined || ranks === undefined)
    return undefined;
  const most = Math.floor(layers / ranks);
  const wrong = ['num_layers_at_start_in_bf16', 'num_layers_at_end_in_bf16'].find((name) => {
    const count = countOf(values, name);
    return count !== undefined && (count < 0 || count > most);
  });
  return wrong === undefined
    ? undefined
    : `${label(values, wrong)} ${values.integer(wrong) ?? 0} must be from 0 to the ${most} layers of a pipeline stage.`;
}
