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
const TUNED = /-(?:instruct|chat|base|thinking|hf|it|bf16|\d{4})$/;

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

/** The preset of a model by repository name, with or without the organisation, in any case, or by an alias. */
export function findModel(name: string): ModelPreset | undefined {
  const found = matching(name);
  if (found === undefined) return undefined;
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
