/** What stands on one stage of a pipeline layout. */
export interface LayoutStage {
  readonly embedding: number;
  readonly layers: number;
  readonly mtp: number;
  readonly loss: number;
}

export interface PipelineLayout {
  /** Stages in order; stage s is chunk `floor(s / PP)` of rank `s mod PP`. */
  readonly stages: readonly LayoutStage[];
  /** All signs without borders, for rules about their order. */
  readonly flat: string;
}

export interface LayoutRefusal {
  readonly fault: string;
}

/** Longer layouts than any real job has are refused rather than unrolled. */
const MOST_SIGNS = 100_000;

function unroll(text: string, pattern: RegExp): string | undefined {
  let length = text.length;
  const out = text.replace(pattern, (_, what: string, times: string) => {
    length += what.length * Number(times);
    return length > MOST_SIGNS ? '' : what.repeat(Number(times));
  });
  return length > MOST_SIGNS ? undefined : out;
}

/**
 * Reads a pipeline layout string: `E` embedding, `t` decoder layer, `m` multi-token-prediction layer, `L` loss, `|` a stage border,
 * `x*n` and `(…)*n` repetition, commas for the eye only. Groups are unrolled before single signs, once, as the original does.
 * Source: Megatron-LM, megatron/core/transformer/pipeline_parallel_layer_layout.py, `parse_str_to_list`.
 */
export function parsePipelineLayout(text: string): PipelineLayout | LayoutRefusal {
  const grouped = unroll(text.replaceAll(',', '').replaceAll(/\s/g, ''), /\(([^)]+)\)\*(\d+)/g);
  const flatText = grouped === undefined ? undefined : unroll(grouped, /(.)\*(\d+)/g);
  if (flatText === undefined) return { fault: `a layout may unroll to at most ${MOST_SIGNS} signs` };
  const stray = [...flatText].find((sign) => !'EtmL|'.includes(sign));
  if (stray !== undefined)
    return { fault: `\`${stray}\` is no layer: a layout is made of E, t, m, L, \`|\` and repetitions such as (tt|)*3` };
  const stages = flatText.split('|').map((stage): LayoutStage => {
    const count = (sign: string): number => stage.split(sign).length - 1;
    return { embedding: count('E'), layers: count('t'), mtp: count('m'), loss: count('L') };
  });
  return { stages, flat: flatText.replaceAll('|', '') };
}

/**
 * The first thing that Megatron would refuse about a layout, as the end of a sentence; undefined for a good one.
 * Counts of layers against the model are arithmetic on the plan and not judged here.
 * Source: the same file, `PipelineParallelLayerLayout.__init__` and `validate_layer_layout`.
 */
export function layoutFault(layout: PipelineLayout | LayoutRefusal, pipeline: number | undefined): string | undefined {
  if ('fault' in layout) return layout.fault;
  const { flat, stages } = layout;
  const count = (sign: string): number => flat.split(sign).length - 1;
  if (count('E') !== 1 || !flat.startsWith('E'))
    return 'the first layer must be the embedding E, and it must stand once';
  if (count('L') !== 1 || !flat.endsWith('L')) return 'the last layer must be the loss L, and it must stand once';
  const firstMtp = flat.indexOf('m');
  if (firstMtp >= 0 && flat.indexOf('t', firstMtp) >= 0)
    return 'decoder layers t must stand before multi-token-prediction layers m';
  if (stages.filter(({ mtp }) => mtp > 0).length > 1)
    return 'all multi-token-prediction layers m must stand on one stage';
  if (pipeline === undefined || pipeline <= 0) return undefined;
  if (stages.length % pipeline !== 0) return `${stages.length} stages do not divide over ${pipeline} pipeline ranks`;
  const mtpStage = stages.findIndex(({ mtp }) => mtp > 0);
  if (mtpStage >= 0 && mtpStage < stages.length - pipeline)
    return 'multi-token-prediction layers m must stand in the last chunk of their rank';
  return undefined;
}

/** Decoder and multi-token-prediction layers that a layout places; undefined where it cannot be read. */
export function layerCounts(text: string | undefined): { readonly layers: number; readonly mtp: number } | undefined {
  if (text === undefined) return undefined;
  const layout = parsePipelineLayout(text);
  if ('fault' in layout) return undefined;
  const total = (pick: (stage: LayoutStage) => number): number =>
    layout.stages.reduce((sum, stage) => sum + pick(stage), 0);
  return { layers: total(({ layers }) => layers), mtp: total(({ mtp }) => mtp) };
}
