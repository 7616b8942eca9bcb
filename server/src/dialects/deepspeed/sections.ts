import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan } from '../../plan/plan';

/** The sections of a plan that training files fill. */
export interface Sections extends Pick<
  Plan,
  'model' | 'cluster' | 'layout' | 'precision' | 'optimizer' | 'recompute' | 'batch' | 'pipeline' | 'unresolved'
> {
  readonly details: TrainingDetails;
}

export const NO_SECTIONS: Sections = {
  model: {},
  cluster: {},
  layout: {},
  precision: {},
  optimizer: {},
  recompute: {},
  batch: {},
  pipeline: {},
  unresolved: [],
  details: {},
};

/** Sections over others: what stands in `over` wins, field by field. */
export function overlaid(under: Sections, over: Sections): Sections {
  return {
    model: { ...under.model, ...over.model },
    cluster: { ...under.cluster, ...over.cluster },
    layout: { ...under.layout, ...over.layout },
    precision: { ...under.precision, ...over.precision },
    optimizer: { ...under.optimizer, ...over.optimizer },
    recompute: { ...under.recompute, ...over.recompute },
    batch: { ...under.batch, ...over.batch },
    pipeline: { ...under.pipeline, ...over.pipeline },
    unresolved: [...under.unresolved, ...over.unresolved],
    details: { ...under.details, ...over.details },
  };
}

/** A training plan of the given dialect. */
export function trainingPlan(dialect: string, { details, ...sections }: Sections): Plan {
  return {
    ...sections,
    dialect,
    task: 'training',
    quantization: {},
    serving: {},
    experts: {},
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}
