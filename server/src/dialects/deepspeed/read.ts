import type { ConfigTree } from '../../syntax/tree';
import { rootMap } from '../common/nodes';
import type { DialectReading } from '../dialect';
import { deepSpeedKeyFindings } from './keys';
import { completeDeepSpeed, deepSpeedSections } from './plan';
import { batchFindings, expertFindings } from './batch';
import { deepSpeedConditions } from './rules';
import { NO_SECTIONS, trainingPlan } from './sections';
import { checkSource, layered } from './source';

/** Reads a DeepSpeed JSON as DeepSpeed does; `auto` is left to whoever launches it. */
export function readDeepSpeed(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('deepspeed', NO_SECTIONS), findings: [], references: [] };
  const source = layered([{ root, prefix: '' }]);
  return {
    plan: trainingPlan('deepspeed', deepSpeedSections(source)),
    complete: completeDeepSpeed(source),
    findings: [...deepSpeedKeyFindings(root), ...checkSource(deepSpeedConditions, source)],
    check: (resolved) => [...batchFindings(source, resolved), ...expertFindings(source, resolved)],
    references: [],
  };
}
