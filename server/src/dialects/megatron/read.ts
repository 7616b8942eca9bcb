import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { Plan } from '../../plan/plan';
import type { ConfigTree } from '../../syntax/tree';
import { placeOf, rootMap } from '../common/nodes';
import { formOf, readMegatronArguments, type MegatronArguments } from './arguments';
import { formFindings } from './exclusive';
import { hiddenFields, readCluster, readLayout } from './layout';
import { isHybrid, readModel } from './model';
import { spellingFindings } from './spelling';
import { readBatch, readDetails, readOptimizer, readPipeline, readPrecision, readRecompute } from './training';

const EMPTY: Plan = {
  dialect: 'megatron',
  task: 'training',
  model: {},
  quantization: {},
  cluster: {},
  layout: {},
  precision: {},
  optimizer: {},
  recompute: {},
  batch: {},
  pipeline: {},
  serving: {},
  experts: {},
  unresolved: [],
};

const FILES = [
  ['tp_comm_overlap_cfg', 'config'],
  ['heterogeneous_layers_config_path', 'config'],
  ['te_precision_config_file', 'quantization'],
  ['kitchen_config_file', 'quantization'],
  ['data_args_path', 'config'],
] as const;

function references(args: MegatronArguments): Reference[] {
  const files = FILES.flatMap(([destination, kind]): Reference[] => {
    const entry = args.entry(destination);
    const target = args.text(destination);
    return entry === undefined || target === undefined ? [] : [{ at: placeOf(entry), target, kind }];
  });
  const model = args.form === 'flat' ? args.entry('model') : undefined;
  const path = args.form === 'flat' ? args.text('model') : undefined;
  if (model !== undefined && path !== undefined && /^(\.{0,2}\/|~\/)/.test(path))
    files.push({ at: placeOf(model), target: `${path.replace(/\/+$/, '')}/config.json`, kind: 'model-config' });
  return files;
}

/**
 * Reads Megatron-LM's arguments: `MODEL_ARGS` of a model_config.yaml, the sections of `--yaml-cfg`, or flat snake_case (ms-swift, dumps).
 * Values are those in effect: defaults are filled in and silent changes marked as derived, with a note.
 */
export function readMegatron(tree: ConfigTree, _companion: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  const form = formOf(tree);
  if (root === undefined || form === undefined) return { plan: EMPTY, findings: [], references: [] };
  const args = readMegatronArguments(root, form);
  const layout = readLayout(args);
  const plan: Plan = {
    ...EMPTY,
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
  return { plan, findings: [...spellingFindings(root, form), ...formFindings(args)], references: references(args) };
}

function withoutStages(layout: Plan['layout']): Plan['layout'] {
  const { stageLayers: _stages, ...rest } = layout;
  return rest;
}
