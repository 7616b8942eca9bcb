import type { Condition, Coverage } from '../common/conditions';
import { coverageOf } from '../common/conditions';

const source = {
  framework: 'NeMo Automodel',
  repository: 'NVIDIA-NeMo/Automodel',
  file: 'nemo_automodel/components/training/step_scheduler.py',
  function: 'StepScheduler.__init__',
};

/** What a step accumulates must come out whole before the data-parallel size is even known. */
export const automodelConditions: readonly Condition[] = [
  {
    rule: 'microbatch-not-dividing-batch',
    severity: 'error',
    covers: [],
    keys: ['step_scheduler.global_batch_size', 'step_scheduler.local_batch_size'],
    source,
    says: (values) => {
      const global = values.integer('step_scheduler.global_batch_size');
      const local = values.integer('step_scheduler.local_batch_size');
      if (global === undefined || local === undefined || local < 1 || global % local === 0) return undefined;
      return `global_batch_size ${global} is no multiple of local_batch_size ${local}; the nearest legal values are ${Math.floor(global / local) * local || local} or ${Math.ceil(global / local) * local}.`;
    },
  },
];

export const automodelCoverage: readonly Coverage[] = coverageOf(automodelConditions);
