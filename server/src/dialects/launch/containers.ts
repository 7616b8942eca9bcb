import { splitCommands, wordOfScalar } from '../../syntax/arguments';
import { resolveCommands, type ShellCommand } from '../../syntax/shell-variables';
import type { Word } from '../../syntax/shell-words';
import type { ConfigNode, ListNode, MapNode } from '../../syntax/tree';
import type { Planned, Sourced } from '../../plan/plan';
import type { ClusterSpec } from '../../engine/spec/cluster';
import { childOf, entryOf, hasKey, integerOf, isList, isScalar, mapOf, textOf } from '../common/nodes';
import { written } from '../common/sourced';
import { findGpu } from '../presets';
import { launchedBy, launchedByImage, type Launched } from './programs';

/** What the containers of one pod share, gathered on the way down. */
export interface Pod {
  readonly environment: ReadonlyMap<string, readonly Word[]>;
  /** GPUs of one container, or of the pod that it is the only one of. */
  readonly gpus?: Sourced<number>;
  /** What its nodes are selected by. */
  readonly gpu?: Sourced<string>;
  /** Pods that form one group and start one server together. */
  readonly pods?: Sourced<number>;
  readonly role?: string;
  /** True below something whose group size is known to be all there is: then a server that needs more cannot start. */
  readonly grouped: boolean;
}

/** A launch where it stands in a manifest. */
export interface Placed {
  readonly launched: Launched;
  readonly pod: Pod;
  readonly container: MapNode;
}

/** A command that nothing around it says anything of. */
export const ALONE: Pod = { environment: new Map(), grouped: false };
const GPU = /^(?:(?:nvidia|amd)\.com\/gpu|gpu|google\.com\/tpu|habana\.ai\/gaudi)$/;
const COMMANDS = ['command', 'entrypoint', 'args', 'cmd', 'extraArgs'];
/** Roles by the keys that Dynamo, OME, RBG and AIBrix give them. */
const PARTS = new Set(['services', 'roles', 'components']);

/** A whole number, also from text, as resource quantities are written. */
function count(node: ConfigNode | undefined): number | undefined {
  const value = integerOf(node);
  return value !== undefined && value > 0 ? value : undefined;
}

function gpusOf(resources: MapNode | undefined): Sourced<number> | undefined {
  for (const part of ['limits', 'requests']) {
    const entry = mapOf(resources, part)?.entries.find(({ key }) => GPU.test(key));
    const value = count(entry?.value);
    if (entry !== undefined && value !== undefined) return written(value, entry);
  }
  return undefined;
}

function environmentOf(node: ConfigNode | undefined, text: string): [string, readonly Word[]][] {
  if (node?.kind === 'map')
    return node.entries.flatMap(({ key, value }): [string, readonly Word[]][] =>
      isScalar(value) && value.value !== null ? [[key, [wordOfScalar(value, text)]]] : [],
    );
  return (isList(node) ? node.items : []).flatMap((item): [string, readonly Word[]][] => {
    const name = textOf(childOf(item, 'name'));
    const value = childOf(item, 'value');
    return name !== undefined && isScalar(value) && value.value !== null ? [[name, [wordOfScalar(value, text)]]] : [];
  });
}

/** Pods of one training job: the replicas of every role of a PyTorchJob, or the parallelism of an indexed Job. */
function jobPods(map: MapNode): Sourced<number> | undefined {
  const roles = mapOf(map, 'pytorchReplicaSpecs')?.entries ?? [];
  const replicas = roles.map(({ value }) => entryOf(value, 'replicas'));
  const counts = roles.map(({ value }) => (hasKey(value, 'replicas') ? count(childOf(value, 'replicas')) : 1));
  const entry = replicas.findLast((found) => found !== undefined);
  const sum = counts.reduce<number | undefined>(
    (all, one) => (all === undefined || one === undefined ? undefined : all + one),
    0,
  );
  if (entry !== undefined && sum !== undefined)
    return { ...written(sum, entry), ...(roles.length > 1 ? { origin: 'derived' } : {}) };
  const parallel = textOf(childOf(map, 'completionMode')) === 'Indexed' ? entryOf(map, 'parallelism') : undefined;
  const pods = count(parallel?.value);
  return parallel === undefined || pods === undefined ? undefined : written(pods, parallel);
}

/** Pods of one group: a LeaderWorkerSet's size, Dynamo's nodes, OME's leader and workers. */
function groupOf(map: MapNode): Sourced<number> | undefined {
  const patterns = ['leaderWorkerTemplate', 'leaderWorkerSet', 'leaderWorkerPattern'];
  const size = patterns.map((key) => entryOf(mapOf(map, key), 'size')).find((entry) => entry !== undefined);
  // Operators that carry a LeaderWorkerSet within call it by a name of their own.
  const own = hasKey(map, 'workerTemplate') ? entryOf(map, 'size') : undefined;
  const nodes = entryOf(mapOf(map, 'multinode'), 'nodeCount');
  for (const entry of [size, own, nodes]) {
    const value = count(entry?.value);
    if (entry !== undefined && value !== undefined) return written(value, entry);
  }
  const workers = mapOf(map, 'leader') === undefined ? undefined : entryOf(mapOf(map, 'worker'), 'size');
  const value = count(workers?.value);
  return workers === undefined || value === undefined
    ? undefined
    : { ...written(value + 1, workers), origin: 'derived' };
}

function hasCommand(map: MapNode): boolean {
  return map.entries.some(({ key, value }) => COMMANDS.includes(key) && (isList(value) || isScalar(value)));
}

/** Labels by which clusters name the GPU of a node. */
const PRODUCT = /(?:^|[./])(?:gke-accelerator|gpu\.product)$/;

/** The GPU that a node selector asks for, where it is one that is known: `nvidia-h100-mega-80gb`, `NVIDIA-B200`. */
function selectedGpu(selector: MapNode | undefined): Sourced<string> | undefined {
  const entry = selector?.entries.find(({ key }) => PRODUCT.test(key));
  const word = textOf(entry?.value);
  if (entry === undefined || word === undefined) return undefined;
  // Google's first label of the A100 is that of 40 GB.
  const found = findGpu(word === 'nvidia-tesla-a100' ? 'A100 40GB' : word.replace(/-mega(?=-)/, ''));
  return found === undefined ? undefined : { ...written(found.name, entry), origin: 'derived' };
}

function below(pod: Pod, map: MapNode, text: string): Pod {
  const environment = [...environmentOf(childOf(map, 'env'), text), ...environmentOf(childOf(map, 'envs'), text)];
  const gpus = gpusOf(mapOf(map, 'resources'));
  const pods = groupOf(map) ?? jobPods(map);
  const gpu = selectedGpu(mapOf(map, 'nodeSelector'));
  return {
    ...pod,
    ...(gpu === undefined ? {} : { gpu }),
    ...(environment.length === 0 ? {} : { environment: new Map([...pod.environment, ...environment]) }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(pods === undefined ? {} : { pods, grouped: true }),
  };
}

/** `command` and `args` make one argument vector; each may also be one text. */
function commandsOf(map: MapNode, text: string, environment: Pod['environment']): ShellCommand[] {
  const parts = COMMANDS.flatMap((key) => childOf(map, key) ?? []);
  const items = parts.flatMap((part) =>
    isList(part) ? part.items : part.kind === 'scalar' && part.value !== null ? [part] : [],
  );
  const [first] = items;
  if (first === undefined) return [];
  const list: ListNode = { kind: 'list', span: first.span, items };
  const templated = parts.some(({ span }) => text.slice(span.start, span.end).includes('{{-'));
  const commands = resolveCommands(
    parts.length === 1 && parts[0]?.kind === 'scalar' ? splitCommands(parts[0], text) : splitCommands(list, text),
    text,
    environment,
  );
  // A template decides which of its lines remain.
  return templated ? commands.map((command) => ({ ...command, complete: false })) : commands;
}

function launchesOf(map: MapNode, pod: Pod, text: string, argumentsOf: ArgumentsOf): Placed[] {
  const image = textOf(childOf(map, 'image'));
  return commandsOf(map, text, pod.environment).flatMap((command): Placed[] => {
    const launched = launchedBy(command) ?? launchedByImage(image, command) ?? argumentsOf(map, command);
    return launched === undefined ? [] : [{ launched, pod, container: map }];
  });
}

/** Says whose arguments a container without a program holds, where the kind of manifest tells. */
export type ArgumentsOf = (container: MapNode, command: ShellCommand) => Launched | undefined;

/** Every launch below `node`, in the order of the document, with what the manifest says of its pods. */
export function launchesIn(
  node: ConfigNode,
  text: string,
  argumentsOf: ArgumentsOf = () => undefined,
  pod: Pod = ALONE,
  key = '',
): Placed[] {
  if (node.kind === 'scalar') return [];
  if (node.kind === 'list')
    return node.items.flatMap((item) => launchesIn(item, text, argumentsOf, pod, PARTS.has(key) ? 'role' : ''));
  const named = key === 'role' ? textOf(childOf(node, 'name')) : undefined;
  const inner = below(named === undefined ? pod : { ...pod, role: named }, node, text);
  const own = hasCommand(node) ? launchesOf(node, inner, text, argumentsOf) : [];
  const deeper = node.entries.flatMap((entry) => {
    if (COMMANDS.includes(entry.key) && hasCommand(node) && entry.value.kind === 'list') return [];
    const role = PARTS.has(key) && entry.value.kind === 'map' ? { ...inner, role: entry.key } : inner;
    return launchesIn(entry.value, text, argumentsOf, role, entry.key);
  });
  return [...own, ...deeper];
}

/** What a pod says of the machines of its server. */
export function clusterOf({ gpu, gpus, pods }: Pod): Planned<ClusterSpec> {
  return {
    ...(gpu === undefined ? {} : { gpu }),
    ...(gpus === undefined ? {} : { gpusPerNode: gpus }),
    ...(pods === undefined ? {} : { nodes: pods }),
  };
}
