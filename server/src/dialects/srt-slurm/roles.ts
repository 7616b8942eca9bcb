import type { Planned, Sourced } from '../../plan/plan';
import type { ClusterSpec } from '../../engine/spec/cluster';
import type { Entry, MapNode } from '../../syntax/tree';
import { childOf, entryOf, integerOf, mapOf, textOf } from '../common/nodes';
import { written } from '../common/sourced';
import { findGpu } from '../presets';
import type { HandedOn } from '../launch/handed-on';

/** One role of a job with the arguments of its server. */
export interface Role {
  readonly handed: HandedOn;
  /** GPUs of one worker on one node, and the nodes that it spans, where the file decides them. */
  readonly gpus?: Sourced<number>;
  readonly nodes?: Sourced<number>;
}

const ENGINES = { sglang: 'sglang', vllm: 'vllm', trtllm: 'tensorrt-llm' } as const;
type Engine = keyof typeof ENGINES;
/** The role in `backend.<engine>_config`, its short name in `resources`, and its name in the layout of schema 2. */
const ROLES = [
  ['prefill', 'prefill'],
  ['decode', 'decode'],
  ['aggregated', 'agg'],
] as const;

function isEngine(text: string | undefined): text is Engine {
  return text !== undefined && Object.hasOwn(ENGINES, text);
}

/** The engine of a job: by name, else by the section that holds its arguments; SGLang where neither says so. */
export function engineOf(root: MapNode): Engine | undefined {
  const backend = mapOf(root, 'backend');
  const type =
    textOf(childOf(backend, 'type')) ??
    textOf(childOf(root, 'engine')) ??
    textOf(childOf(mapOf(root, 'engine'), 'type'));
  if (type !== undefined) return isEngine(type) ? type : undefined;
  const section = (['sglang', 'vllm', 'trtllm'] as const).find(
    (name) => mapOf(backend, `${name}_config`) !== undefined,
  );
  return section ?? (mapOf(root, 'roles') === undefined ? undefined : 'sglang');
}

function count(node: MapNode | undefined, key: string): Sourced<number> | undefined {
  const entry = entryOf(node, key);
  const value = integerOf(entry?.value);
  return entry === undefined || value === undefined || value < 1 ? undefined : written(value, entry);
}

/** Nodes and GPUs of one worker: its own GPU count, else its share of the role's nodes. */
function machines(
  gpusPerNode: Sourced<number> | undefined,
  nodes: Sourced<number> | undefined,
  workers: Sourced<number> | undefined,
  own: Sourced<number> | undefined,
): Pick<Role, 'gpus' | 'nodes'> {
  if (own !== undefined) {
    const whole = gpusPerNode === undefined || own.value <= gpusPerNode.value ? 1 : own.value / gpusPerNode.value;
    if (!Number.isInteger(whole)) return {};
    return { gpus: { ...own, value: own.value / whole }, nodes: { ...own, value: whole } };
  }
  if (gpusPerNode === undefined || nodes === undefined) return {};
  const share = nodes.value / (workers?.value ?? 1);
  // Several workers on one node divide its GPUs between them.
  const gpus = share < 1 ? Math.floor(gpusPerNode.value * share) : gpusPerNode.value;
  if (gpus < 1 || (share > 1 && !Number.isInteger(share))) return {};
  return { gpus: { ...gpusPerNode, value: gpus }, nodes: { ...nodes, value: Math.max(1, share) } };
}

/** The model: the name that the server answers to where it is a repository, else the path. */
function modelOf(root: MapNode, options: MapNode): Entry | undefined {
  const names = ['served-model-name', 'served_model_name', 'model-path', 'model_path', 'model'];
  const entries = [...names.map((key) => entryOf(options, key)), entryOf(mapOf(root, 'model'), 'path')];
  return entries.find((entry) => /^[\w.-]+\/[\w.-]+$/.test(textOf(entry?.value) ?? '')) ?? hubPath(entries.at(-1));
}

/** `hf:org/name` without its scheme. */
function hubPath(entry: Entry | undefined): Entry | undefined {
  const name = /^hf:(.+)$/.exec(textOf(entry?.value) ?? '')?.[1];
  if (entry?.value.kind !== 'scalar' || name === undefined) return undefined;
  return { ...entry, value: { ...entry.value, value: name } };
}

/** A path inside the job's container says nothing here: what the server answers to names the model. */
function withoutModel(options: MapNode): MapNode {
  const names = ['model-path', 'model_path', 'model'];
  return { ...options, entries: options.entries.filter(({ key }) => !names.includes(key)) };
}

function environmentOf(node: MapNode | undefined): Record<string, string> {
  return Object.fromEntries(
    (node?.entries ?? []).flatMap(({ key, value }) => {
      const text = textOf(value);
      return text === undefined ? [] : [[key, text] as const];
    }),
  );
}

function clusterOf(
  resources: MapNode | undefined,
  { gpus, nodes }: Pick<Role, 'gpus' | 'nodes'>,
): Planned<ClusterSpec> {
  const type = entryOf(resources, 'gpu_type');
  const name = textOf(type?.value);
  const preset = name === undefined ? undefined : findGpu(name);
  return {
    ...(type === undefined || preset === undefined ? {} : { gpu: written(preset.name, type) }),
    ...(gpus === undefined ? {} : { gpusPerNode: gpus }),
    ...(nodes === undefined ? {} : { nodes }),
  };
}

/** Both layouts of a role: `backend.<engine>_config.<role>` with counts in `resources`, or `roles.<role>` of schema 2. */
function roleOf(root: MapNode, engine: Engine, [long, short]: (typeof ROLES)[number]): Role | undefined {
  const resources = mapOf(root, 'resources');
  const backend = mapOf(root, 'backend');
  const section = mapOf(mapOf(root, 'roles'), short);
  const options = mapOf(section, 'args') ?? mapOf(mapOf(backend, `${engine}_config`), long);
  if (options === undefined) return undefined;
  const worker = machines(
    count(resources, 'gpus_per_node'),
    count(section, 'nodes') ?? count(resources, `${short}_nodes`),
    count(section, 'workers') ?? count(resources, `${short}_workers`),
    count(section, 'gpus') ?? count(resources, `gpus_per_${short}`),
  );
  const model = modelOf(root, options);
  return {
    handed: {
      program: ENGINES[engine],
      options: model === undefined ? options : withoutModel(options),
      role: long,
      environment: environmentOf(mapOf(section, 'env') ?? mapOf(backend, `${long}_environment`)),
      cluster: clusterOf(resources, worker),
      complete: options.entries.some(({ key }) => /^(?:tp|tensor[-_]parallel)(?:[-_]size)?$/.test(key)),
      ...(model === undefined ? {} : { model }),
    },
    ...worker,
  };
}

/** The roles of one job that hold arguments of a server. */
export function rolesOf(root: MapNode): Role[] {
  const engine = engineOf(root);
  return engine === undefined ? [] : ROLES.flatMap((names) => roleOf(root, engine, names) ?? []);
}
