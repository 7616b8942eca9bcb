import type { TrainingInput } from '../memory/input';
import { refuseTraining } from '../memory/input';
import { isRefusal } from '../schedule/refusal';
import type { RunCost, Utilisation } from './economics';
import { runCost, utilisation } from './economics';
import { trainingFlops } from './flops';
import { machineOf, type Calibration } from './rates';
import { trainingStep, type StepReport } from './training-step';

/** What a run is to reach and what its machines cost; every field may be unknown. */
export interface RunTerms {
  readonly tokens?: number;
  /** In whatever currency the user counts. */
  readonly pricePerGpuHour?: number;
  readonly wattsPerGpu?: number;
}

/** A step with the run it belongs to. */
export interface TrainingCost extends StepReport {
  /** Every named utilisation: the step's own, then the BF16 one with attention counted whole. */
  readonly utilisations: readonly Utilisation[];
  /** Absent while no number of tokens is stated. */
  readonly run?: RunCost;
  /** Money and energy of a thousand million tokens, where a price or a power is stated. */
  readonly perBillion?: RunCost;
}

/** Why there is no cost, and the field it hangs on. */
export interface NoCost {
  readonly missing: string;
  readonly reason: string;
}

/** Blocks that a schedule may have before a time is not worth waiting for: a hover answers in milliseconds. */
const LARGEST_SCHEDULE = 400_000;

/** No model has more layers. */
const MOST_LAYERS = 2000;

function tooLarge({ layout, batch, model }: TrainingInput): boolean {
  if (model.layers > MOST_LAYERS) return true;
  const rounds = Math.min(batch.microbatches, 16 * layout.pipeline);
  return layout.pipeline * layout.virtualPipeline * rounds > LARGEST_SCHEDULE;
}

function isFinitePositive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

/** Time, utilisation and, where the terms say enough, days, GPU-hours, money and energy of a training plan. */
export function trainingCost(
  input: TrainingInput,
  terms: RunTerms = {},
  calibration: Calibration = {},
): TrainingCost | NoCost {
  if (input.cluster === undefined) return { missing: 'cluster.gpu', reason: 'no GPU is named' };
  const [refused] = refuseTraining(input);
  if (refused !== undefined) return { missing: refused.field, reason: `${refused.field} is not a possible size` };
  const machine = machineOf(input.cluster, calibration);
  if ('missing' in machine) return { missing: machine.missing, reason: `${machine.missing} of the GPU is not known` };
  if (tooLarge(input)) return { missing: 'batch.microbatches', reason: 'the schedule is too large to time' };
  const step = trainingStep(input, machine);
  if (isRefusal(step)) return { missing: step.field, reason: step.message };
  if (!isFinitePositive(step.stepSeconds) || !isFinitePositive(step.tokensPerSecondPerGpu))
    return { missing: 'batch.globalBatch', reason: 'the sizes give no finite time' };
  const whole = trainingFlops(input.model, {
    sequenceLength: input.batch.sequenceLength,
    mtp: true,
    causal: false,
  }).total;
  const gpus = input.layout.worldSize;
  const { tokens, ...prices } = terms;
  const over = (count: number): RunCost | undefined =>
    runCost({ tokens: count, tokensPerSecondPerGpu: step.tokensPerSecondPerGpu, gpus, ...prices });
  const run = tokens === undefined ? undefined : over(tokens);
  const perBillion = over(1e9);
  return {
    ...step,
    utilisations: [...step.mfu, utilisation(step.tokensPerSecondPerGpu, whole, machine.bf16, 'BF16', false)],
    ...(run === undefined ? {} : { run }),
    ...(perBillion === undefined ? {} : { perBillion }),
  };
}

/** True for what has no cost. */
export function hasNoCost(cost: object): cost is NoCost {
  return 'reason' in cost;
}
