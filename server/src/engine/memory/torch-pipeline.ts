import { buildOrder } from '../schedule/build';
import { OP } from '../schedule/order';
import type { ScheduleOrder, ScheduleRefusal } from '../schedule/order';
import { inFlightSets } from '../layout/in-flight';
import { chunksPerRank } from '../layout/stages';
import type { TrainingInput } from './input';

/** Bytes of one local stage: what a microbatch holds, and what the stage itself gathers while the schedule runs. */
export interface StageCost {
  /** From forward to the end of backward. */
  readonly kept: number;
  /** From the input half of a split backward to its weight half: gradients of layer outputs. */
  readonly waiting: number;
  /** Alive only while a whole backward pass runs. */
  readonly running: number;
  /** Alive at the end of a backward pass, when all of the stage's gradients are there. */
  readonly closing: number;
  /** Alive only while the weight half of a split backward runs. */
  readonly weightHalf: number;
  /** Unsharded gradients, from the stage's first backward on. */
  readonly accumulated: number;
  /** The first stage has no input gradient: torch leaves its whole backward to the weight half. */
  readonly first: boolean;
}

/** What is alive at the fullest moment of a rank's schedule, by local stage. */
export interface LiveMicrobatches {
  readonly kept: readonly number[];
  /** Microbatches whose weight gradients are still to come. */
  readonly waiting: readonly number[];
  readonly running: number;
  /** Stages that already hold unsharded gradients. */
  readonly accumulating: readonly boolean[];
}

/** The order that a plan's schedule has, or why torch would not build it. */
export function torchOrder({ layout, batch, pipeline }: TrainingInput): ScheduleOrder | ScheduleRefusal {
  const chunks = chunksPerRank(pipeline.kind, layout.virtualPipeline);
  return buildOrder({ kind: pipeline.kind, ranks: layout.pipeline, microbatches: batch.microbatches, chunks });
}

/**
 * Walks the order of one rank and returns its fullest moment.
 * A split backward recomputes at its input half and frees only at its weight half, which is why zero-bubble schedules undo full recompute.
 */
export function torchPeak(
  input: TrainingInput,
  order: ScheduleOrder | ScheduleRefusal,
  rank: number,
  stages: readonly number[],
  costs: readonly StageCost[],
): LiveMicrobatches {
  const { layout, batch, pipeline } = input;
  if ('rule' in order) {
    const [live] = inFlightSets(
      pipeline,
      {
        pipeline: layout.pipeline,
        virtualPipeline: chunksPerRank(pipeline.kind, layout.virtualPipeline),
        microbatches: batch.microbatches,
      },
      rank,
    );
    return {
      kept: live ?? [],
      waiting: [],
      running: Math.max(...costs.map(({ running }) => running)),
      accumulating: stages.map(() => true),
    };
  }
  return walk(order, rank, stages, costs);
}

function walk(
  order: ScheduleOrder,
  rank: number,
  stages: readonly number[],
  costs: readonly StageCost[],
): LiveMicrobatches {
  const kept = stages.map(() => 0);
  const waiting = stages.map(() => 0);
  const accumulating = stages.map(() => false);
  let now = 0;
  let most = -1;
  let best: LiveMicrobatches = { kept: [], waiting: [], running: 0, accumulating: [] };
  const look = (running: number): void => {
    if (now + running <= most) return;
    most = now + running;
    best = { kept: [...kept], waiting: [...waiting], running, accumulating: [...accumulating] };
  };
  const change = (counts: number[], index: number, by: number, bytes: number): void => {
    counts[index] = (counts[index] ?? 0) + by;
    now += by * bytes;
  };
  const backward = (index: number, cost: StageCost, running: number): void => {
    look(running);
    if (accumulating[index] === false) {
      accumulating[index] = true;
      now += cost.accumulated;
    }
    look(cost.closing);
    change(kept, index, -1, cost.kept);
  };
  const apply = (op: number, stage: number): void => {
    const index = stages.indexOf(stage);
    const cost = costs[index];
    if (cost === undefined) return;
    if (op === OP.F) {
      change(kept, index, 1, cost.kept);
      look(0);
    } else if (op === OP.I) {
      if (cost.first) return;
      change(waiting, index, 1, cost.waiting);
      look(0);
    } else if (op === OP.W && !cost.first) {
      backward(index, cost, cost.weightHalf);
      change(waiting, index, -1, cost.waiting);
    } else backward(index, cost, cost.running);
  };
  const end = order.rankStart[rank + 1] ?? 0;
  for (let action = order.rankStart[rank] ?? 0; action < end; action += 1) {
    const op = order.op[action] ?? OP.F;
    if (op === OP.FB) {
      apply(OP.F, order.stage[action] ?? 0);
      apply(OP.B, order.stage2[action] ?? 0);
    } else apply(op, order.stage[action] ?? 0);
  }
  return best;
}
