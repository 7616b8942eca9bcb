import type { ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { Plan } from '../../plan/plan';
import { emptyTraining, softened } from '../common/empty-plan';
import { booleanOf, entryOf, hasKey, integerOf, isScalar, mapOf, rootMap, textOf } from '../common/nodes';
import { present, written } from '../common/sourced';
import type { DialectReading } from '../dialect';
import { megatronArguments, type MegatronArguments, type Translated } from '../megatron/arguments';
import { megatronPlan } from '../megatron/plan';
import { NEMO1 } from '../megatron/profiles';
import { nemoFindings } from './conditions';
import { NEMO_NAMES } from './names';

type Words = Record<string, Translated | undefined>;

function put(entry: Entry | undefined, value: string | number | boolean | undefined): Translated | undefined {
  return entry === undefined || value === undefined ? undefined : { entry, value };
}

function precision(root: MapNode, model: MapNode): Words {
  const entry = entryOf(mapOf(root, 'trainer'), 'precision') ?? entryOf(model, 'precision');
  const word = textOf(entry?.value);
  const low = entryOf(model, 'fp8');
  const format = booleanOf(entryOf(model, 'fp8_e4m3')?.value) === true ? 'e4m3' : 'hybrid';
  return {
    bf16: put(entry, word === undefined ? undefined : word.startsWith('bf16')),
    fp16: put(entry, word === undefined ? undefined : /^(16|fp16)/.test(word)),
    ...(booleanOf(low?.value) === true ? { fp8: put(low, format) } : {}),
  };
}

/** A path as it is written: its last part names a tokenizer even where a variable is in front. */
function nameIn({ value }: Entry): string | undefined {
  return isScalar(value) && typeof value.value === 'string' ? value.value : undefined;
}

/** Settings that NeMo states the other way round, or as a word where Megatron has switches. */
function words(root: MapNode, model: MapNode): Words {
  const shared = entryOf(model, 'share_embeddings_and_output_weights');
  const untied = booleanOf(shared?.value);
  const activation = entryOf(model, 'activation');
  const swiglu = textOf(activation?.value);
  const norm = entryOf(model, 'normalization');
  const groups = entryOf(model, 'num_query_groups');
  const optimizer = entryOf(mapOf(model, 'optim'), 'name');
  const name = textOf(optimizer?.value);
  const tokenizer = entryOf(mapOf(model, 'tokenizer'), 'type');
  const file = entryOf(mapOf(model, 'tokenizer'), 'model');
  const library = textOf(entryOf(mapOf(model, 'tokenizer'), 'library')?.value);
  const named = library === 'sentencepiece' ? file : library === 'huggingface' ? tokenizer : undefined;
  const plain = entryOf(model, 'bias');
  const bias = booleanOf(plain?.value);
  return {
    ...precision(root, model),
    ...(untied === undefined ? {} : { untie_embeddings_and_output_weights: put(shared, !untied) }),
    ...(swiglu === undefined ? {} : { swiglu: put(activation, /swiglu/.test(swiglu)) }),
    ...(textOf(norm?.value) === 'rmsnorm' ? { normalization: put(norm, 'RMSNorm') } : {}),
    ...(integerOf(groups?.value) === undefined ? {} : { group_query_attention: put(groups, true) }),
    ...(name === undefined ? {} : { use_distributed_optimizer: put(optimizer, /^(?:mcore_)?distributed/.test(name)) }),
    ...(name === undefined ? {} : { optimizer: put(optimizer, 'adam') }),
    ...(textOf(tokenizer?.value) === 'GPT2BPETokenizer' ? { tokenizer_type: put(tokenizer, 'GPT2BPETokenizer') } : {}),
    ...(named === undefined ? {} : { tokenizer_model: put(named, nameIn(named)) }),
    ...(bias === undefined ? {} : { add_bias_linear: put(plain, bias) }),
  };
}

/** Keys of the model that only look like arguments of the same name. */
const LEFT = new Set(['optim', 'optimizer', 'activation', 'fp8', 'precision', 'bias', 'name']);

export function nemoArguments(root: MapNode): MegatronArguments {
  const model = mapOf(root, 'model') ?? root;
  const trainer = mapOf(root, 'trainer');
  const data = mapOf(model, 'data');
  const entries = [
    ...(data?.entries ?? []).filter(({ key }) => key === 'seq_length'),
    ...model.entries.filter(({ key, value }) => value.kind !== 'map' && !LEFT.has(key)),
  ];
  return megatronArguments({
    form: 'flat',
    profile: NEMO1,
    entries,
    renamed: NEMO_NAMES,
    translated: words(root, model),
    complete: hasKey(model, 'num_layers') && hasKey(model, 'hidden_size'),
    other: (key) => (key.startsWith('trainer.') ? entryOf(trainer, key.slice('trainer.'.length)) : undefined),
  });
}

/** The world: devices × nodes of the trainer, where both are numbers. */
function cluster(args: MegatronArguments): Plan['cluster'] {
  const devices = args.other('trainer.devices');
  const nodes = args.other('trainer.num_nodes');
  const each = integerOf(devices?.value);
  const count = integerOf(nodes?.value);
  return present<Plan['cluster']>({
    gpusPerNode: devices === undefined || each === undefined || each < 1 ? undefined : written(each, devices),
    nodes: nodes === undefined || count === undefined || count < 1 ? undefined : written(count, nodes),
  });
}

/** Reads a NeMo 1.x training file: Megatron's arguments under `model`, machines under `trainer`. */
export function readNemo(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: emptyTraining('nemo'), findings: [], references: [] };
  const args = nemoArguments(root);
  const base = megatronPlan(args, 'nemo');
  const plan: Plan = { ...base, cluster: cluster(args) };
  return {
    plan: args.complete ? plan : softened(plan, 'the base configuration may say otherwise'),
    findings: nemoFindings(args),
    references: [],
  };
}
