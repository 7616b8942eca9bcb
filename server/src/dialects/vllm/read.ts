import { parseArguments } from '../../syntax/arguments';
import type { ConfigNode, ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { Sourced } from '../../plan/plan';
import { remark } from '../common/findings';
import { childOf, entryOf, hasKey, integerOf, mapOf, numberOf, rootMap, textOf } from '../common/nodes';
import { written } from '../common/sourced';
import type { DialectReading, ReadCompanion } from '../dialect';
import { NOTHING, readVllmArguments } from './arguments';
import { vllmArity } from './keys';

/** Environment variables of a mapping of texts. */
function environmentOf(node: MapNode | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (node?.entries ?? []).flatMap(({ key, value }) => {
      const text = textOf(value);
      return text === undefined ? [] : [[key, text] as const];
    }),
  );
}

/** `model_name` and `server_args` of an evaluation. */
function readEvaluation(root: MapNode, tree: ConfigTree, read: ReadCompanion): DialectReading {
  const { text } = tree;
  const node = childOf(root, 'server_args');
  const options = node === undefined ? root : parseArguments(node, text, vllmArity);
  const model = entryOf(root, 'model_name');
  return readVllmArguments(options, read, {
    text,
    form: 'command',
    environment: environmentOf(mapOf(root, 'env')),
    ...(model === undefined ? {} : { model }),
  });
}

/** Every list of arguments in a recipe, wherever it stands. */
function argumentLists(node: ConfigNode, key = ''): ConfigNode[] {
  if (node.kind === 'list')
    return /(?:^|_)args$/.test(key) ? [node] : node.items.flatMap((item) => argumentLists(item));
  return node.kind === 'map' ? node.entries.flatMap((entry) => argumentLists(entry.value, entry.key)) : [];
}

/** Memory of the GPUs that recipes count with, in GB. */
const USUAL_GPU = 80;

/** Tensor parallelism of a recipe that states none in its arguments: what its strategy sets, else as many ranks as its memory takes. */
function recipeTensor(root: MapNode): Sourced<number> | undefined {
  const set = entryOf(mapOf(mapOf(root, 'strategy_overrides'), 'single_node_tp'), 'tp');
  const degree = integerOf(set?.value);
  if (set !== undefined && degree !== undefined && degree > 0) return written(degree, set);
  const room = numberOf(childOf(mapOf(mapOf(root, 'variants'), 'default'), 'vram_minimum_gb'));
  if (room === undefined || !(room > 0) || room > 1e5) return undefined;
  const value = 2 ** Math.ceil(Math.log2(Math.max(1, room / USUAL_GPU)));
  return { value, origin: 'assumed', note: `GPUs of ${USUAL_GPU} GB that hold ${room} GB, as vram_minimum_gb says` };
}

/** A recipe: the model and the arguments that every deployment of it shares; the others are checked as they stand. */
function readRecipe(root: MapNode, tree: ConfigTree, read: ReadCompanion): DialectReading {
  const model = mapOf(root, 'model');
  const { text } = tree;
  const base = childOf(model, 'base_args');
  const none: MapNode = { kind: 'map', span: { start: 0, end: 0 }, entries: [] };
  const command = (options: MapNode, partial = false): DialectReading => {
    const id = entryOf(model, 'model_id');
    const named = id === undefined ? {} : { model: id };
    return readVllmArguments(options, read, { text, form: 'command', partial, ...named });
  };
  const options = base === undefined ? none : parseArguments(base, text, vllmArity);
  const reading = command(options);
  const tensor = hasKey(options, 'tensor-parallel-size') ? undefined : recipeTensor(root);
  const others = argumentLists(root)
    .filter((list) => list !== base)
    .flatMap((list) => command(parseArguments(list, text, vllmArity), true).findings);
  const { worldSize: _world, ...layout } = reading.plan.layout;
  const version = entryOf(model, 'min_vllm_version');
  const release = textOf(version?.value);
  return {
    ...reading,
    plan: {
      ...reading.plan,
      ...(tensor === undefined ? {} : { layout: { ...layout, tensor } }),
      ...(version === undefined || release === undefined ? {} : { frameworkVersion: written(release, version) }),
    },
    findings: [...reading.findings, ...others],
  };
}

/** `vllm serve` needs a mapping at the top of its file. */
function notAMap(tree: ConfigTree): DialectReading {
  const first = tree.documents[0];
  const empty = first === undefined || (first.kind === 'scalar' && first.value === null);
  return {
    plan: NOTHING,
    references: [],
    findings: empty
      ? []
      : [
          remark({
            rule: 'not-a-map',
            severity: 'error',
            at: { span: first.span },
            message: 'vLLM wants a mapping of arguments to values at the top of a --config file.',
          }),
        ],
  };
}

/** The positional model of a flat file: vLLM takes `model` and the older `model_tag`. */
function positional(root: MapNode): Entry | undefined {
  return entryOf(root, 'model') ?? entryOf(root, 'model_tag') ?? entryOf(root, 'model-tag');
}

/** Reads a file of vLLM with vLLM's own semantics. */
export function readVllm(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return notAMap(tree);
  if (childOf(root, 'server_args') !== undefined) return readEvaluation(root, tree, read);
  if (mapOf(root, 'model') !== undefined && mapOf(root, 'meta') !== undefined) return readRecipe(root, tree, read);
  const model = positional(root);
  // JSON goes to the engine's own class, which takes false for what it is.
  const form = tree.language === 'json' ? 'command' : 'file';
  return readVllmArguments(root, read, { text: tree.text, form, ...(model === undefined ? {} : { model }) });
}
