import type { Finding } from '../../plan/finding';
import type { MapNode } from '../../syntax/tree';
import { childOf, entryOf, mapOf } from '../common/nodes';
import { nestedKeyFindings } from '../common/nested-keys';
import { automodel } from './conditions';
import { automodelSchema } from './schema-data';

/**
 * Unknown keys are passed over at the top of a recipe and stop it in `distributed`, whose options go to the strategy that is named.
 * Files that name a class there hand it their own.
 */
export function automodelKeyFindings(root: MapNode): Finding[] {
  const section = mapOf(root, 'distributed');
  const entry = entryOf(root, 'distributed');
  if (section === undefined || entry === undefined || childOf(section, '_target_') !== undefined) return [];
  // Files of 2025 have the pipeline in a section of its own, and options that went with it.
  if (childOf(root, 'autopipeline') !== undefined || childOf(section, 'strategy') === undefined) return [];
  return nestedKeyFindings({ ...root, entries: [entry] }, automodelSchema, {
    framework: 'NeMo Automodel',
    source: automodel('components/distributed/config.py', '_resolve_strategy_config'),
    refuses: 'which stops at options that the strategy does not have',
    near: 'error',
    far: 'warning',
    value: 'warning',
  });
}
