import type { Plan } from '../../plan/plan';
import { emptyTraining } from '../common/empty-plan';
import type { MegatronArguments } from './arguments';
import { hiddenFields, readCluster, readLayout } from './layout';
import { isHybrid, readModel } from './model';
import { readBatch, readDetails, readOptimizer, readPipeline, readPrecision, readRecompute } from './training';

function withoutStages(layout: Plan['layout']): Plan['layout'] {
  const { stageLayers: _stages, ...rest } = layout;
  return rest;
}

/** The plan that a table of Megatron's arguments makes, for every file format that carries them. */
export function megatronPlan(args: MegatronArguments, dialect = 'megatron'): Plan {
  const layout = readLayout(args);
  return {
    ...emptyTraining(dialect),
    model: readModel(args),
    cluster: readCluster(args),
    // The stages of hybrid stacks follow from their pattern, which counts more than decoder layers.
    layout: isHybrid(args) ? withoutStages(layout) : layout,
    precision: readPrecision(args),
    optimizer: readOptimizer(args),
    recompute: readRecompute(args),
    batch: readBatch(args),
    pipeline: readPipeline(args, layout.virtualPipeline?.value),
    unresolved: hiddenFields(args),
    details: readDetails(args),
  };
}
