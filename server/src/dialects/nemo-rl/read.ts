import type { Finding } from '../../plan/finding';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { composed, mergedView } from '../common/hydra';
import { nestedKeyFindings } from '../common/nested-keys';
import { rootMap } from '../common/nodes';
import { withStages } from '../common/uneven-stages';
import { NO_SECTIONS, trainingPlan } from '../deepspeed/sections';
import { checkSource, placeIn, type Source } from '../deepspeed/source';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import { modelFile } from '../trl/trainer';
import { nemoRlFile } from './framework';
import { backendOf, nemoRlSections, STAGES } from './plan';
import { nemoRlConditions } from './rules';
import { nemoRlSchema } from './schema-data';

/** Sections are open dictionaries; only slips are told. */
function keyFindings(root: MapNode): Finding[] {
  return nestedKeyFindings(root, nemoRlSchema, {
    framework: 'NeMo-RL',
    source: nemoRlFile('utils/config.py', 'load_config'),
    refuses: 'which reads its settings by name',
    near: 'warning',
    far: 'hint',
    value: 'hint',
  }).filter(({ message }) => !message.startsWith('`_'));
}

function modelReference(source: Source): Reference[] {
  const target = modelFile(source.text('policy.model_name'));
  const at = placeIn(source, 'policy.model_name');
  return target === undefined || at === undefined || at.uri !== undefined ? [] : [{ at, target, kind: 'model-config' }];
}

/** Reads a NeMo-RL recipe with the bases that its `defaults` name. */
export function readNemoRl(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('nemo-rl', NO_SECTIONS), findings: [], references: [] };
  const { layers, complete, references } = composed(root, read);
  const source = mergedView(layers, complete);
  return {
    plan: trainingPlan('nemo-rl', nemoRlSections(source)),
    ...(backendOf(source) === 'megatron'
      ? { complete: (plan, { model }) => withStages(source, STAGES, plan, model) }
      : {}),
    findings: [...keyFindings(root), ...checkSource(nemoRlConditions, source)],
    references: [...modelReference(source), ...references],
  };
}
