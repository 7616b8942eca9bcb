import type { StageContent } from '../layout/stages';
import type { TrainingInput } from '../memory/input';
import { stagesOf } from '../memory/training';
import { expertExchangeTime } from '../network/expert-traffic';
import { transferTime } from '../network/collectives';
import type { OverlapTimes } from '../schedule/overlap-block';
import { size } from '../model/tensors';
import { layerParts, type LayerPart, type PassTimes } from './layer-times';
import type { Machine } from './rates';
import { dispatchBytes, recomputed, settingOf, type Setting } from './stage-times';

/** Parts of a layer that stand before the first exchange; the others work on what experts received. */
const ATTENTION: ReadonlySet<LayerPart> = new Set(['projections', 'core_attn', 'layernorm']);

/** The first mixture-of-experts layer of a stage; undefined where it has none. */
function expertLayer(setting: Setting, stage: StageContent): number | undefined {
  for (let at = 0; at < stage.layers; at += 1)
    if (setting.kinds[stage.firstLayer + at]?.feedForward === 'moe') return stage.firstLayer + at;
  return undefined;
}

export interface StageOverlap {
  readonly stage: number;
  /** Layer pairs of the stage's block. */
  readonly pairs: number;
  /** Seconds of one pair. */
  readonly times: OverlapTimes;
}

/**
 * The phases of one layer pair of an inner stage, by the times that stages are built from: products and element-wise work by part,
 * exchanges by what each moves. Undefined where no stage holds experts that are spread over ranks.
 */
export function stageOverlap(input: TrainingInput, machine: Machine): StageOverlap | undefined {
  const { model, layout, batch } = input;
  if (layout.expert <= 1) return undefined;
  const setting = settingOf(input, machine);
  const { topology, work } = setting;
  const stages = stagesOf(input);
  // The middle of the pipeline holds neither embedding nor head.
  const order = [...stages].sort(
    (a, b) => Math.abs(a.stage - stages.length / 2) - Math.abs(b.stage - stages.length / 2),
  );
  const stage = order.find((candidate) => expertLayer(setting, candidate) !== undefined);
  const layer = stage === undefined ? undefined : expertLayer(setting, stage);
  const kind = layer === undefined ? undefined : setting.kinds[layer];
  if (stage === undefined || layer === undefined || kind === undefined) return undefined;
  const parts = layerParts(machine, model, kind, layer, layout, work);
  const sum = (attention: boolean, of: (part: PassTimes & { readonly part: LayerPart }) => number): number =>
    parts.filter(({ part }) => ATTENTION.has(part) === attention).reduce((total, part) => total + of(part), 0);
  const half = (attention: boolean): OverlapTimes['attention'] => ({
    F: sum(attention, ({ F }) => F),
    B: sum(attention, ({ part, F, I }) => I + recomputed(part, input) * F),
    W: sum(attention, ({ W }) => W),
  });
  const width = size(model.expertLatentSize) || size(model.hiddenSize);
  const exchange = (bytes: number): number =>
    work.imbalance *
    expertExchangeTime(
      model,
      work.tokens / Math.max(1, layout.tensor),
      bytes,
      { size: layout.expert, stride: layout.expertTensor },
      topology,
    );
  const hidden = (batch.microBatch * batch.sequenceLength * size(model.hiddenSize) * 2) / Math.max(1, layout.context);
  const perStage = Math.max(1, Math.floor(layout.worldSize / layout.pipeline));
  return {
    stage: stage.stage,
    pairs: Math.max(1, stage.layers),
    times: {
      attention: half(true),
      mlp: half(false),
      dispatch: exchange(dispatchBytes(input)),
      combine: exchange(width * 2),
      combineBackward: exchange(width * 2),
      dispatchBackward: exchange(width * 2),
      pipeline: transferTime(hidden, perStage, topology),
    },
  };
}
