import { fitFactor, linkShares, scaled } from '../../engine/cost/calibrate';
import { hasNoCost, trainingCost } from '../../engine/cost/plan-cost';
import { machineOf, type Calibration } from '../../engine/cost/rates';
import type { ServingLoad } from '../../engine/cost/serving-cost';
import { servingPass } from '../../engine/cost/serving-pass';
import type { ServingInput, TrainingInput } from '../../engine/memory/input';
import type { MemoryReport } from '../../engine/memory/report';
import type { ResolvedPlan } from '../../plan/plan';
import { servingInputOf, trainingInputOf } from '../estimates';
import type { Measurements } from './logs';
import { readMeasurements } from './read';

/** One measured number beside ours, before and after the calibration. Bytes, tokens a second. */
export interface Comparison {
  readonly what: 'tokensPerSecondPerGpu' | 'peakBytes' | 'decodeTokensPerSecond';
  readonly measured: number;
  readonly predicted: number;
  readonly calibrated: number;
}

/** What measurements make of the estimates of time. */
export interface Calibrated {
  readonly from: string;
  readonly calibration: Calibration;
  /** Factor on the efficiencies of kernels; absent where no rate was measured. */
  readonly factor?: number;
  readonly comparisons: readonly Comparison[];
}

function trainingRate(input: TrainingInput, calibration: Calibration): number | undefined {
  const cost = trainingCost(input, {}, calibration);
  return hasNoCost(cost) ? undefined : cost.tokensPerSecondPerGpu;
}

/** Tokens a second and GPU that a job was measured at: stated, or from its step. */
function measuredRate(measured: Measurements, { batch, layout }: TrainingInput): number | undefined {
  if (measured.tokensPerSecondPerGpu !== undefined) return measured.tokensPerSecondPerGpu;
  if (measured.stepSeconds === undefined) return undefined;
  return (batch.globalBatch * batch.sequenceLength) / measured.stepSeconds / Math.max(1, layout.worldSize);
}

function decodeRate(
  input: ServingInput,
  load: ServingLoad,
  sequences: number,
  calibration: Calibration,
): number | undefined {
  const machine = input.cluster === undefined ? undefined : machineOf(input.cluster, calibration);
  if (machine === undefined || 'missing' in machine) return undefined;
  const groups = Math.max(1, input.layout.attentionData);
  const { seconds } = servingPass(input, machine, {
    phase: 'decode',
    sequences: sequences / groups,
    tokens: 1,
    context: load.prompt + load.output / 2,
    twoBatches: input.layout.expert > 1,
  });
  return seconds > 0 ? sequences / seconds : undefined;
}

interface Rate {
  readonly what: 'tokensPerSecondPerGpu' | 'decodeTokensPerSecond';
  readonly measured: number;
  readonly at: (calibration: Calibration) => number | undefined;
}

function rateOf(resolved: ResolvedPlan, measured: Measurements, load: ServingLoad): Rate | undefined {
  const training = trainingInputOf(resolved);
  if (training !== undefined) {
    const rate = measuredRate(measured, training);
    return rate === undefined
      ? undefined
      : { what: 'tokensPerSecondPerGpu', measured: rate, at: (calibration) => trainingRate(training, calibration) };
  }
  const serving = servingInputOf(resolved);
  const { decode } = measured;
  if (serving === undefined || decode === undefined) return undefined;
  return {
    what: 'decodeTokensPerSecond',
    measured: decode.tokensPerSecond,
    at: (calibration) => decodeRate(serving, load, decode.sequences, calibration),
  };
}

function memoryRows(measured: Measurements, memory: MemoryReport | undefined): Comparison[] {
  const peak = memory?.classes[memory.peak.classIndex]?.allocated;
  if (measured.peakBytes === undefined || peak === undefined) return [];
  // Memory is counted, not measured: there is nothing to tune.
  return [{ what: 'peakBytes', measured: measured.peakBytes, predicted: peak, calibrated: peak }];
}

/**
 * Tunes the estimates of time to what was measured on a plan: links first, because they are known apart, then one factor on what kernels
 * reach, such that the model gives the measured rate. Undefined where the text holds no measurement, or the plan has no GPU.
 */
export function calibrate(
  resolved: ResolvedPlan,
  text: string,
  load: ServingLoad,
  memory: MemoryReport | undefined,
): Calibrated | undefined {
  const measured = readMeasurements(text);
  const { cluster } = resolved;
  if (measured === undefined || cluster === undefined) return undefined;
  const links = measured.inside !== undefined || measured.outside !== undefined;
  const base: Calibration = links ? { network: linkShares(cluster, measured) } : {};
  const rate = rateOf(resolved, measured, load);
  const factor = rate === undefined ? undefined : fitFactor(rate.measured, (k) => rate.at(scaled(cluster, base, k)));
  const calibration = factor === undefined ? base : scaled(cluster, base, factor);
  const predicted = rate?.at({});
  const after = rate?.at(calibration);
  const rows: Comparison[] =
    rate === undefined || predicted === undefined || after === undefined
      ? []
      : [{ what: rate.what, measured: rate.measured, predicted, calibrated: after }];
  return {
    from: measured.from,
    calibration,
    ...(factor === undefined ? {} : { factor }),
    comparisons: [...rows, ...memoryRows(measured, memory)],
  };
}
