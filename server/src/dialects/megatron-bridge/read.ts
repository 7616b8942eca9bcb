import type { ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { Plan } from '../../plan/plan';
import { emptyTraining, softened } from '../common/empty-plan';
import { booleanOf, entryOf, hasKey, integerOf, isScalar, mapOf, rootMap, textOf } from '../common/nodes';
import { derived } from '../common/sourced';
import type { DialectReading } from '../dialect';
import { megatronArguments, type MegatronArguments, type Translated } from '../megatron/arguments';
import { megatronPlan } from '../megatron/plan';
import { BRIDGE } from '../megatron/profiles';
import { bridgeFindings } from './conditions';
import { providerOf, type Provider } from './providers';

/** Low-precision recipes by the part of their name that says which. */
const RECIPES: readonly (readonly [RegExp, string])[] = [
  [/fp8_delayed_scaling/, 'delayed'],
  [/fp8_current_scaling/, 'tensorwise'],
  [/fp8_subchannel_scaling/, 'blockwise'],
  [/mxfp8/, 'mxfp8'],
];

/** Sections that hold Megatron's arguments, the ones that win last. */
const SECTIONS = [
  'tokenizer',
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

/** Fields of model providers and data sets that Megatron's command line says otherwise. */
function fields(root: MapNode): Readonly<Record<string, Translated | undefined>> {
  const model = mapOf(root, 'model');
  const put = (entry: Entry | undefined, value: number | boolean | undefined): Translated | undefined =>
    entry === undefined || value === undefined ? undefined : { entry, value };
  const shared = entryOf(model, 'share_embeddings_and_output_weights');
  const tied = booleanOf(shared?.value);
  const gate = entryOf(model, 'gated_linear_unit');
  // Batches are as long as the data set makes them, whatever the model was made for.
  const data = mapOf(root, 'dataset');
  const length = entryOf(data, 'seq_length') ?? entryOf(data, 'sequence_length');
  return {
    untie_embeddings_and_output_weights: put(shared, tied === undefined ? undefined : !tied),
    swiglu: put(gate, booleanOf(gate?.value)),
    seq_length: put(length, integerOf(length?.value)),
  };
}

/** Nothing is said by a field that is null. */
function isGiven({ value }: Entry): boolean {
  return value.kind !== 'map' && !(isScalar(value) && value.value === null);
}

/** Arguments of Megatron in a ConfigContainer's sections. A file without the model's sizes overrides a recipe. */
export function bridgeArguments(root: MapNode, provider = providerOf(root)): MegatronArguments {
  const mixed = entryOf(root, 'mixed_precision');
  const block = mapOf(root, 'mixed_precision');
  const entries = [
    ...(provider?.arguments ?? []),
    ...(block?.entries ?? []),
    ...SECTIONS.flatMap((section) => mapOf(root, section)?.entries ?? []),
  ].filter(isGiven);
  // Averaging and the reduction's format have names of their own here.
  const reduce = entryOf(mapOf(root, 'ddp'), 'grad_reduce_in_fp32') ?? entryOf(block, 'grad_reduce_in_fp32');
  const narrow = textOf(reduce?.value) === 'false';
  return megatronArguments({
    form: 'flat',
    profile: BRIDGE,
    entries,
    complete:
      provider !== undefined ||
      (hasKey(mapOf(root, 'model'), 'num_layers') && hasKey(mapOf(root, 'model'), 'hidden_size')),
    translated: {
      ...Object.fromEntries(Object.entries(fields(root)).filter(([, found]) => found !== undefined)),
      ...(block === undefined ? named(mixed) : {}),
      ...(reduce === undefined || !narrow ? {} : { grad_reduce_in_bf16: { entry: reduce, value: true } }),
    },
    other: () => undefined,
  });
}

/** The sizes of a provider's preset, below those that the file states. */
function presetModel(model: Plan['model'], { entry, name, preset }: Provider): Plan['model'] {
  if (preset === undefined) return model;
  const stated = Object.entries(model).filter(([, value]) => value.origin !== 'default');
  return { ...Object.fromEntries(stated), name: derived(preset, `the sizes of ${name}`, entry) };
}

/** Reads a configuration container or overrides of a recipe; what a recipe may set is assumed, never taken for granted. */
export function readBridge(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: emptyTraining('megatron-bridge'), findings: [], references: [] };
  const provider = providerOf(root);
  const args = bridgeArguments(root, provider);
  const base = megatronPlan(args, 'megatron-bridge');
  const plan = provider === undefined ? base : { ...base, model: presetModel(base.model, provider) };
  return {
    plan: args.complete ? plan : softened(plan, 'the recipe may say otherwise'),
    findings: bridgeFindings(root, args),
    references: [],
  };
}
