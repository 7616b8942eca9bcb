import { splitCommands } from '../../syntax/arguments';
import { resolveCommands } from '../../syntax/shell-variables';
import { optionsOf } from '../../syntax/arguments';
import type { ConfigNode, ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { Plan, Planned } from '../../plan/plan';
import type { ClusterSpec } from '../../engine/spec/cluster';
import { emptyPlanOf } from '../common/empty-plan';
import { childOf, entryOf, hasKey, integerOf, isList, mapOf, rootMap, textOf } from '../common/nodes';
import { written } from '../common/sourced';
import type { ReadCompanion } from '../dialect';
import { launchesIn, type Placed } from '../launch/containers';
import type { Launch } from '../launch/launch';
import { readSglangArguments } from '../sglang/read';
import { matchKey } from '../sglang/keys';
import { readVllmArguments } from '../vllm/arguments';
import { matchVllmKey, vllmArity } from '../vllm/keys';

/** Keys of files of other tools that also hold commands. */
const FOREIGN = [
  'services',
  'jobs',
  'stages',
  'on',
  'steps',
  'tasks',
  'pipeline',
  'runs',
  'version',
  'hosts',
  'workflow',
  'repos',
  'image',
];

function hyphenated(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function gpuCount(node: MapNode, key: string): Planned<ClusterSpec> {
  const entry = entryOf(node, key);
  const value = integerOf(entry?.value);
  return entry === undefined || value === undefined || value < 1 ? {} : { gpusPerNode: written(value, entry) };
}

/** Entries of `vllmConfig` (camelCase) that are options of vLLM, and the words of its `extraArgs`. */
function stackOptions(spec: MapNode, text: string): Entry[] {
  const config = mapOf(spec, 'vllmConfig');
  const own = (config?.entries ?? [])
    .filter(({ key, value }) => key !== 'extraArgs' && value.kind !== 'map')
    .map((entry) => ({ ...entry, key: hyphenated(entry.key) }))
    .filter(({ key }) => matchVllmKey(key).kind === 'known');
  const extra = [childOf(config, 'extraArgs'), childOf(spec, 'extraArgs')].flatMap((node) =>
    node === undefined ? [] : resolveCommands(splitCommands(node, text), text),
  );
  return [...own, ...extra.flatMap(({ words }) => optionsOf(words, text, vllmArity))];
}

/** Models of vLLM's production stack: `servingEngineSpec.modelSpec`, or the `spec` of a `VLLMRuntime`. */
export function stackSpecs(root: MapNode): MapNode[] {
  const list = childOf(mapOf(root, 'servingEngineSpec'), 'modelSpec');
  const specs = isList(list) ? list.items.filter((item): item is MapNode => item.kind === 'map') : [];
  const spec = mapOf(root, 'spec');
  return [...specs, ...(spec !== undefined && mapOf(spec, 'vllmConfig') !== undefined ? [spec] : [])];
}

export function readStack(spec: MapNode, tree: ConfigTree, read: ReadCompanion): Launch {
  const options: MapNode = { kind: 'map', span: spec.span, entries: stackOptions(spec, tree.text) };
  const model = entryOf(spec, 'modelURL') ?? entryOf(mapOf(spec, 'model'), 'modelURL');
  const reading = readVllmArguments(options, read, {
    text: tree.text,
    form: 'command',
    ...(model === undefined ? {} : { model }),
  });
  const cluster = { ...gpuCount(spec, 'requestGPU'), ...reading.plan.cluster };
  return { program: 'vllm', options, complete: true, reading: { ...reading, plan: { ...reading.plan, cluster } } };
}

/** A mapping of server arguments below a key such as `serverArgs`, with the program by the key above. */
export interface ValuesMap {
  readonly program: 'sglang' | 'vllm';
  readonly options: MapNode;
}

/** `sglang.serverArgs` and `vllm.serverArgs` of charts that hand them on. */
export function valuesMaps(root: MapNode): ValuesMap[] {
  return (['sglang', 'vllm'] as const).flatMap((program): ValuesMap[] => {
    const options = mapOf(mapOf(root, program), 'serverArgs');
    if (options === undefined || options.entries.length === 0) return [];
    const known = options.entries.filter(({ key }) =>
      program === 'vllm' ? matchVllmKey(key).kind === 'known' : matchKey(key).kind === 'known',
    );
    return known.length * 2 > options.entries.length ? [{ program, options }] : [];
  });
}

const DEGREES = { tp_size: 'tensor', pp_size: 'pipeline' } as const;

export function readValuesMap(
  { program, options }: ValuesMap,
  root: MapNode,
  tree: ConfigTree,
  read: ReadCompanion,
): Launch {
  const model = mapOf(root, 'model');
  const reading =
    program === 'vllm'
      ? readVllmArguments(options, read, { text: tree.text, form: 'command' })
      : readSglangArguments(options, read, { form: 'handed-on' });
  const named = entryOf(model, 'name');
  const name = textOf(named?.value);
  const degrees = Object.entries(DEGREES).flatMap(([key, field]) => {
    const entry = entryOf(model, key);
    const value = integerOf(entry?.value);
    return entry === undefined || value === undefined ? [] : [[field, written(value, entry)] as const];
  });
  const { worldSize: _world, ...layout } = reading.plan.layout;
  const plan: Plan = {
    ...reading.plan,
    layout: degrees.length === 0 ? reading.plan.layout : { ...layout, ...Object.fromEntries(degrees) },
    model:
      named === undefined || name === undefined
        ? reading.plan.model
        : { ...reading.plan.model, name: written(name, named) },
  };
  return { program, options, complete: true, reading: { ...reading, plan } };
}

/** `workload: {framework, configFile}` of charts whose arguments stand in a file beside. */
export function workloadOf(root: MapNode): MapNode | undefined {
  const workload = mapOf(root, 'workload');
  const named = hasKey(workload, 'configFile') && hasKey(workload, 'framework');
  return named ? workload : undefined;
}

/** Workers of Dynamo in chart values: their node counts say what is deployed, their arguments stand in files beside. */
export function dynamoWorkers(root: MapNode): MapNode[] {
  const dynamo = mapOf(root, 'dynamo');
  return (dynamo?.entries ?? []).flatMap(({ key, value }) =>
    /Worker$/.test(key) && value.kind === 'map' && hasKey(value, 'nodeCount') ? [value] : [],
  );
}

/** A document of chart values, and not a file of another tool or an object of the cluster. */
export function valuesRoot(tree: ConfigTree): MapNode | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.documents.length !== 1 || hasKey(root, 'apiVersion')) return undefined;
  return FOREIGN.some((key) => hasKey(root, key)) ? undefined : root;
}

/** Containers that chart values describe: a mapping with a command or arguments beside an image or resources. */
export function valuesLaunches(root: MapNode, text: string): Placed[] {
  const isContainer = (container: ConfigNode): boolean =>
    ['image', 'resources', 'env', 'envs', 'ports', 'replicas', 'replicaCount'].some((key) => hasKey(container, key));
  return launchesIn(root, text).filter(({ container }) => isContainer(container));
}

/** The plan of values whose arguments are elsewhere: GPUs and nodes are all that they say. */
export function emptyPlan(root: MapNode): Plan {
  const workload = workloadOf(root);
  return {
    ...emptyPlanOf('kubernetes', 'serving'),
    cluster: workload === undefined ? {} : gpuCount(workload, 'gpus'),
  };
}
