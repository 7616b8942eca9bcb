import type { Finding } from '../finding';
import type { Sourced } from '../plan';
import { buildOrder } from '../../engine/schedule/build';
import { isRefusal } from '../../engine/schedule/refusal';
import { scheduleSpecOf } from '../schedule-spec';
import { statedWorld } from '../resolve-layout';
import { finding, megatron, placed, setFixes, type Enforcement, type PlanRule } from './rule-context';

const SOURCES: Readonly<Record<string, Enforcement>> = {
  dualpipe: {
    severity: 'error',
    source: {
      framework: 'DualPipe',
      repository: 'deepseek-ai/DualPipe',
      file: 'dualpipe/dualpipe.py',
      function: 'DualPipe.step',
      commit: '3da1bbe',
    },
  },
  dualpipev: {
    severity: 'error',
    source: {
      framework: 'DualPipe',
      repository: 'deepseek-ai/DualPipe',
      file: 'dualpipe/dualpipev.py',
      function: 'DualPipeV.step',
      commit: '3da1bbe',
    },
  },
  interleaved: {
    severity: 'error',
    source: megatron('megatron/core/pipeline_parallel/schedules.py', 'forward_backward_pipelining_with_interleaving'),
  },
  '1f1b-ep-overlap': {
    severity: 'error',
    source: megatron('megatron/core/pipeline_parallel/schedules.py', 'forward_backward_pipelining_with_interleaving'),
  },
};

/** The schedule's own builder is the judge: what it refuses, the framework refuses. */
export const scheduleConstraint: PlanRule = {
  id: 'schedule-constraint',
  title: 'The pipeline schedule refuses these ranks, microbatches, chunks or group size.',
  severity: 'error',
  check: ({ plan, resolved }) => {
    const { layout, batch, pipeline } = resolved;
    if (layout === undefined || batch === undefined || layout.pipeline <= 1) return [];
    // A microbatch count that we assumed, or a data size nobody stated, proves nothing about the user's file.
    const count = plan.batch.microbatches ?? plan.batch.globalBatch;
    if (count === undefined || count.origin === 'assumed') return [];
    if (plan.batch.microbatches === undefined && plan.layout.data === undefined && statedWorld(plan) === undefined)
      return [];
    const spec = scheduleSpecOf(resolved);
    const answer = spec === undefined ? undefined : buildOrder(spec);
    if (answer === undefined || !isRefusal(answer)) return [];
    // torchtitan cuts stages from layers and says itself what does not fit.
    if (answer.field === 'chunks' && plan.dialect === 'torchtitan') return [];
    const fields: Readonly<Record<typeof answer.field, Sourced<unknown> | undefined>> = {
      ranks: plan.layout.pipeline,
      microbatches: count,
      chunks: plan.layout.virtualPipeline,
      groupSize: plan.pipeline.groupSize,
      durations: plan.pipeline.durations,
    };
    const value = fields[answer.field];
    // Microbatches that follow from the global batch are set through it.
    const derived = answer.field === 'microbatches' && plan.batch.microbatches === undefined;
    const perMicrobatch = batch.globalBatch / batch.microbatches;
    const nearest = derived ? answer.nearest.map((m) => m * perMicrobatch) : answer.nearest;
    const result: Finding = finding(
      scheduleConstraint,
      SOURCES[pipeline.kind] ?? { severity: 'error' },
      answer.message,
      {
        ...placed([
          { value, says: answer.field },
          { value: plan.pipeline.kind, says: 'the schedule' },
          { value: plan.layout.pipeline, says: 'pipeline parallelism' },
        ]),
        ...setFixes(value, derived ? 'globalBatch' : answer.field, nearest.filter(Number.isSafeInteger)),
      },
    );
    return [result];
  },
};
