import type { ConfigTree, Entry, MapNode } from '../../syntax/tree';
import { emptyTraining, softened } from '../common/empty-plan';
import { entryOf, hasKey, mapOf, rootMap, textOf } from '../common/nodes';
import type { DialectReading } from '../dialect';
import { megatronArguments, type MegatronArguments, type Translated } from '../megatron/arguments';
import { megatronPlan } from '../megatron/plan';
import { BRIDGE } from '../megatron/profiles';
import { bridgeFindings } from './conditions';

/** Low-precision recipes by the part of their name that says which. */
const RECIPES: readonly (readonly [RegExp, string])[] = [
  [/fp8_delayed_scaling/, 'delayed'],
  [/fp8_current_scaling/, 'tensorwise'],
  [/fp8_subchannel_scaling/, 'blockwise'],
  [/mxfp8/, 'mxfp8'],
];

/** Sections that hold Megatron's arguments, the ones that win last. */
const SECTIONS = [
  'dataset',
  'validation',
  'dist',
  'rng',
  'checkpoint',
  'scheduler',
  'optimizer',
  'ddp',
  'comm_overlap',
  'train',
  'model',
];

function named(entry: Entry | undefined): Readonly<Record<string, Translated>> {
  const name = textOf(entry?.value);
  if (entry === undefined || name === undefined) return {};
  const recipe = RECIPES.find(([pattern]) => pattern.test(name))?.[1];
  const put = (value: string | boolean): Translated => ({ entry, value });
  return {
    bf16: put(name.startsWith('bf16')),
    fp16: put(name.startsWith('fp16')),
    ...(recipe === undefined ? {} : { fp8: put('hybrid'), fp8_recipe: put(recipe) }),
    ...(/nvfp4/.test(name) ? { fp4: put('e2m1') } : {}),
  };
}

/** Arguments of Megatron in a ConfigContainer's sections. A file without the model's sizes overrides a recipe. */
export function bridgeArguments(root: MapNode): MegatronArguments {
  const mixed = entryOf(root, 'mixed_precision');
  const block = mapOf(root, 'mixed_precision');
  const entries = [
    ...(block?.entries ?? []),
    ...SECTIONS.flatMap((section) => mapOf(root, section)?.entries ?? []),
  ].filter(({ value }) => value.kind !== 'map');
  // Averaging and the reduction's format have names of their own here.
  const reduce = entryOf(mapOf(root, 'ddp'), 'grad_reduce_in_fp32') ?? entryOf(block, 'grad_reduce_in_fp32');
  const narrow = textOf(reduce?.value) === 'false';
  return megatronArguments({
    form: 'flat',
    profile: BRIDGE,
    entries,
    complete: hasKey(mapOf(root, 'model'), 'num_layers') && hasKey(mapOf(root, 'model'), 'hidden_size'),
    translated: {
      ...(block === undefined ? named(mixed) : {}),
      ...(reduce === undefined || !narrow ? {} : { grad_reduce_in_bf16: { entry: reduce, value: true } }),
    },
    other: () => undefined,
  });
}

/** Reads a configuration container or overrides of a recipe; what a recipe may set is assumed, never taken for granted. */
export function readBridge(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: emptyTraining('megatron-bridge'), findings: [], references: [] };
  const args = bridgeArguments(root);
  const plan = megatronPlan(args, 'megatron-bridge');
  return {
    plan: args.complete ? plan : softened(plan, 'the recipe may say otherwise'),
    findings: bridgeFindings(root, args),
    references: [],
  };
}
