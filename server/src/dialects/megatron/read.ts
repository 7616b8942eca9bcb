import { environmentDetails } from './environment';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { Plan, Unresolved } from '../../plan/plan';
import type { ConfigTree } from '../../syntax/tree';
import { emptyTraining } from '../common/empty-plan';
import { placeOf, rootMap, textOf } from '../common/nodes';
import { formOf, readMegatronArguments, type MegatronArguments } from './arguments';
import { megatronFindings } from './rules';
import { megatronPlan } from './plan';
import { spellingFindings } from './spelling';

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
export function readMegatron(
  tree: ConfigTree,
  _companion: ReadCompanion,
  /** Whether the arguments are all there are: a command that takes more from a variable is only a part. */
  { complete }: { readonly complete?: boolean } = {},
): DialectReading {
  const root = rootMap(tree);
  const form = formOf(tree);
  if (root === undefined || form === undefined)
    return { plan: emptyTraining('megatron'), findings: [], references: [] };
  const own = readMegatronArguments(root, form);
  const args = { ...own, complete: own.complete && complete !== false };
  const base = megatronPlan(args);
  const plan: Plan = {
    ...base,
    unresolved: [...base.unresolved, ...frozenWeights(args)],
    details: { ...base.details, ...environmentDetails(root) },
  };
  return { plan, findings: [...spellingFindings(root, form), ...megatronFindings(args)], references: references(args) };
}

/** With adapters most weights have no gradients and no optimizer states, which the Plan cannot say: what those take stays unknown. */
function frozenWeights(args: MegatronArguments): readonly Unresolved[] {
  if (!args.profile.namedModel) return [];
  const entry = args.other('tuner_type') ?? args.other('train_type');
  const text = textOf(entry?.value);
  return entry === undefined || text === undefined || text === 'full'
    ? []
    : [
        {
          path: 'optimizer.trainable',
          at: placeOf(entry),
          why: `what \`${entry.key}: ${text}\` leaves frozen is not modelled for this framework`,
        },
      ];
}
