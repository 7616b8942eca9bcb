import type { ModelSpec } from '../engine/model/spec';
import type { ClusterSpec } from '../engine/spec/cluster';
import type { DType, QuantizationSpec } from '../engine/spec/numbers';
import type { Planned, Sourced } from '../plan/plan';
import type { ConfigNode, Span } from '../syntax/tree';
import { modelFromConfig } from './hf-config/model';
import { hardwareFiles, modelFiles } from './preset-files';

/** A model that ships with the tool. */
export interface ModelPreset {
  /** Repository id, such as `deepseek-ai/DeepSeek-V3`. */
  readonly name: string;
  readonly model: Planned<ModelSpec>;
  readonly quantization: Planned<QuantizationSpec>;
  /** Format of the KV cache that the checkpoint asks for. */
  readonly kvDType?: Sourced<DType>;
}

/** A GPU that ships with the tool: everything about a cluster but how many there are. */
export interface ClusterPreset {
  readonly name: string;
  readonly cluster: Planned<ClusterSpec>;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = Readonly<Record<string, Json>>;

interface PresetFile {
  readonly name: string;
  readonly names: readonly string[];
  readonly file: JsonObject;
}

const NOWHERE: Span = { start: 0, end: 0 };

/** A preset goes through the same reader as a config in a folder, so it needs the reader's kind of tree; its places mean nothing. */
function nodeOf(value: Json): ConfigNode {
  if (Array.isArray(value)) return { kind: 'list', span: NOWHERE, items: (value as readonly Json[]).map(nodeOf) };
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value as JsonObject).map(([key, inner]) => ({
      key,
      keySpan: NOWHERE,
      value: nodeOf(inner),
    }));
    return { kind: 'map', span: NOWHERE, entries };
  }
  return {
    kind: 'scalar',
    span: NOWHERE,
    value: value as null | boolean | number | string,
    raw: String(value),
    unresolved: false,
  };
}

/** The same word for every way a name is written: no organisation, no case, one kind of separator. */
function normal(name: string): string {
  const last = name.trim().toLowerCase().replace(/\/+$/, '').split('/').at(-1) ?? '';
  return last.replace(/[\s_]+/g, '-');
}

const VENDOR = /^(?:nvidia|amd|instinct|tesla)-/;

function gpuWord(name: string): string {
  let word = normal(name);
  while (VENDOR.test(word)) word = word.replace(VENDOR, '');
  return word.replaceAll('-', '');
}

function filesOf(files: readonly unknown[], word: (name: string) => string): readonly PresetFile[] {
  return (files as readonly JsonObject[]).map((file) => {
    const name = String(file['x-name']);
    const aliases = (file['x-aliases'] ?? []) as readonly string[];
    return { name, names: [name, ...aliases].map(word), file };
  });
}

const MODELS = filesOf(modelFiles, normal);
const GPUS = filesOf(hardwareFiles, gpuWord);

/** Endings of repository names that leave the shape as it is. */
const TUNED = /-(?:instruct|chat|base|thinking|hf|it|bf16|fp16|\d{4})$/;

function matching(name: string): PresetFile | undefined {
  for (let word = normal(name); word.length > 0;) {
    const found = MODELS.find(({ names }) => names.includes(word));
    if (found !== undefined) return found;
    const shorter = word.replace(TUNED, '');
    if (shorter === word) return undefined;
    word = shorter;
  }
  return undefined;
}

function withoutPlaces<T>(section: Planned<T>): Planned<T> {
  const entries = Object.entries(section as Readonly<Record<string, Sourced<unknown>>>).map(
    ([key, { at: _at, label: _label, ...rest }]) => [key, rest],
  );
  return Object.fromEntries(entries) as Planned<T>;
}

type Quantization = readonly [ending: RegExp, method: QuantizationSpec['method'], groupSize?: number];

/** Endings of repositories that hold a quantized copy of a model, in the usual way of whoever publishes such. */
const QUANTIZED: readonly Quantization[] = [
  [/-fp8-(?:dynamic|channel)$/, 'fp8-channel'],
  [/-fp8(?:-(?:block|kv))?$/, 'fp8-tensor'],
  [/-(?:nvfp4|fp4)(?:-v\d)?$/, 'nvfp4', 16],
  [/-mxfp4$/, 'mxfp4', 32],
  [/-(?:unsloth-)?bnb-4bit$/, 'bnb-4bit'],
  [/-(?:awq(?:-int4)?|gptq(?:-int4)?|int4(?:-awq)?|(?:quantized\.)?w4a16)$/, 'int4-group', 128],
  [/-(?:gptq-int8|int8|(?:quantized\.)?w8a8)$/, 'int8'],
];
/** Those whose FP8 checkpoints have a scale a block of 128 × 128. */
const BLOCKS = /^(?:qwen|zai-org|deepseek-ai|minimaxai|moonshotai|thudm)\//i;

/** What the name of a quantized copy says: assumed, because only its config.json knows which modules it leaves alone. */
function quantizedCopy(name: string): ModelPreset | undefined {
  const word = normal(name);
  const found = QUANTIZED.find(([ending]) => ending.test(word));
  if (found === undefined) return undefined;
  const [ending, method, groupSize] = found;
  const base = matching(word.replace(ending, ''));
  if (base === undefined) return undefined;
  const blocks = method === 'fp8-tensor' && BLOCKS.test(name);
  const says = <T>(value: T): Sourced<T> => ({ value, origin: 'assumed', note: `what the name ${name} says` });
  const sizes: Planned<QuantizationSpec> = blocks ? { blockRows: says(128), blockColumns: says(128) } : {};
  return {
    ...presetOf(base),
    quantization: {
      method: says(blocks ? 'fp8-block' : method),
      baseDType: says('BF16'),
      ...sizes,
      ...(groupSize === undefined ? {} : { groupSize: says(groupSize) }),
      // Copies of latent attention in four bits leave it as it was.
      ...(method === 'nvfp4' && base.file['kv_lora_rank'] !== undefined ? { excluded: says(['*self_attn*']) } : {}),
    },
  };
}

/** The preset of a model by repository name, with or without the organisation, in any case, or by an alias. */
export function findModel(name: string): ModelPreset | undefined {
  const found = matching(name);
  return found === undefined ? quantizedCopy(name) : presetOf(found);
}

function presetOf(found: PresetFile): ModelPreset {
  const { model, quantization, kvDType } = modelFromConfig(nodeOf(found.file));
  return {
    name: found.name,
    model: { ...withoutPlaces(model), name: { value: found.name, origin: 'file' } },
    quantization: withoutPlaces(quantization),
    ...(kvDType === undefined ? {} : { kvDType: { value: kvDType.value, origin: kvDType.origin } }),
  };
}

const CLUSTER_FIELDS = [
  'memoryBytes',
  'computeCapability',
  'gpusPerNode',
  'nvlinkDomain',
  'bf16Flops',
  'sustainedShare',
  'fp8Flops',
  'fp4Flops',
  'memoryBandwidth',
  'nvlinkBandwidth',
  'nicBandwidth',
] as const satisfies readonly (keyof ClusterSpec)[];

/** The preset of a GPU by name or alias: `H100`, `NVIDIA H100 80GB HBM3` and `h100-sxm` are one. */
export function findGpu(name: string): ClusterPreset | undefined {
  const word = gpuWord(name);
  const found = GPUS.find(({ names }) => names.includes(word));
  if (found === undefined) return undefined;
  const fields = CLUSTER_FIELDS.flatMap((key) => {
    const value = found.file[key];
    return typeof value === 'number' ? [[key, { value, origin: 'file' }]] : [];
  });
  return {
    name: found.name,
    cluster: { gpu: { value: found.name, origin: 'file' }, ...Object.fromEntries(fields) } as Planned<ClusterSpec>,
  };
}

/** Repository ids of all model presets. */
export function modelNames(): readonly string[] {
  return MODELS.map(({ name }) => name);
}

/** Names of all GPU presets. */
export function gpuNames(): readonly string[] {
  return GPUS.map(({ name }) => name);
}
