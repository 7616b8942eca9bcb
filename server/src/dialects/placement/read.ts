import type { ResolvedPlan } from '../../plan/plan';
import type { ConfigTree } from '../../syntax/tree';
import { emptyPlanOf } from '../common/empty-plan';
import type { DialectReading } from '../dialect';
import { present } from '../common/sourced';
import type { PlacementContext } from './sink';
import { checkPlacementFile } from './validate';

const PLAN = emptyPlanOf('placement', 'model');

/** What comment, workspace file and settings say of the model and the GPUs that a placement file is for. */
export function statedContext({ model, plan }: ResolvedPlan): PlacementContext {
  const { gpus, nodes, gpusPerNode } = plan.cluster;
  const product = nodes !== undefined && gpusPerNode !== undefined ? nodes.value * gpusPerNode.value : undefined;
  return present<PlacementContext>({
    experts: model?.experts,
    layers: model?.layers,
    moeLayers: model?.moeLayers,
    gpus: gpus?.value ?? product,
  });
}

/** Reads a placement file: nothing in it says how a model is split, so its plan is empty and its findings are all there is. */
export function readPlacement(tree: ConfigTree): DialectReading {
  return {
    plan: PLAN,
    findings: [],
    check: (resolved) => checkPlacementFile(tree, statedContext(resolved)),
    references: [],
  };
}
