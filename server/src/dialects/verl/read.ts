import type { Finding } from '../../plan/finding';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { nestedKeyFindings } from '../common/nested-keys';
import { rootMap } from '../common/nodes';
import { withStages } from '../common/uneven-stages';
import { NO_SECTIONS, trainingPlan } from '../deepspeed/sections';
import { checkSource, placeIn, type Source } from '../deepspeed/source';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import { modelFile } from '../trl/trainer';
import { verlFile } from './framework';
import { STAGES, verlSections } from './plan';
import { headFindings, verlConditions } from './rules';
import { verlSchema } from './schema-data';
import { MODEL, verlSource } from './source';

/** Hydra takes new sections at the top; what the typed sections do not have stops verl when it turns them into classes. */
function keyFindings(root: MapNode): Finding[] {
  return nestedKeyFindings(root, verlSchema, {
    framework: 'verl',
    source: verlFile('utils/config.py', 'omega_conf_to_dataclass'),
    refuses: 'whose typed sections refuse unknown ones',
    near: 'warning',
    far: 'hint',
    value: 'warning',
  }).filter(({ message }) => !message.startsWith('`_target_`'));
}

function modelReference(source: Source): Reference[] {
  return [`${MODEL}.path`, 'model.partial_pretrain', 'model.path'].flatMap((key): Reference[] => {
    const target = modelFile(source.text(key));
    const at = placeIn(source, key);
    return target === undefined || at === undefined || at.uri !== undefined
      ? []
      : [{ at, target, kind: 'model-config' }];
  });
}

/** Reads a verl configuration with its Hydra bases: the actor's update, and the rollout engine that shares its GPUs. */
export function readVerl(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('verl', NO_SECTIONS), findings: [], references: [] };
  const { form, source, references } = verlSource(root, read);
  return {
    plan: trainingPlan('verl', verlSections(source, form)),
    complete: (plan, { model }) => withStages(source, STAGES, plan, model),
    findings: [...(form === 'group' ? [] : keyFindings(root)), ...checkSource(verlConditions, source)],
    check: (resolved) => headFindings(source, resolved),
    references: [...modelReference(source), ...references],
  };
}
