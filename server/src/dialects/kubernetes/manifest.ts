import type { ShellCommand } from '../../syntax/shell-variables';
import type { ConfigNode, ConfigTree, MapNode } from '../../syntax/tree';
import { childOf, hasKey, isScalar, mapOf, textOf } from '../common/nodes';
import { embeddedYaml } from '../launch/embedded';
import { clusterOf, launchesIn, type Placed } from '../launch/containers';
import { huggingFaceLaunch } from '../launch/huggingface-server';
import { readLaunch, type Launch } from '../launch/launch';
import type { Launched } from '../launch/programs';
import type { ReadCompanion } from '../dialect';
import { matchVllmKey } from '../vllm/keys';

/** Documents of a stream that are Kubernetes objects. */
export function objectsOf(tree: ConfigTree): MapNode[] {
  return tree.documents.filter(
    (node): node is MapNode => node.kind === 'map' && hasKey(node, 'apiVersion') && hasKey(node, 'kind'),
  );
}

export function kindOf(node: ConfigNode): string {
  return textOf(childOf(node, 'kind')) ?? '';
}

/** Kinds whose containers without a command start vLLM: the operator adds the program. */
const SERVED_BY_VLLM = /^(?:LLMInferenceService(?:Config)?|InferenceService|ServingRuntime|ClusterServingRuntime)$/;

/** Arguments without a program belong to vLLM where the kind serves language models and every second of them is an option of vLLM. */
function argumentsOf(kind: string, text: string): (container: MapNode, command: ShellCommand) => Launched | undefined {
  return (container, command) => {
    const [first] = command.words;
    const served = /Inference|ServingRuntime/.test(kind) ? huggingFaceLaunch(container, command, text) : undefined;
    if (served !== undefined) return served;
    if (!SERVED_BY_VLLM.test(kind) || first?.text.startsWith('--') !== true || hasKey(container, 'command'))
      return undefined;
    const options = command.words.filter(({ text }) => text.startsWith('--'));
    const known = options.filter(({ text }) => matchVllmKey(text.slice(2).split('=')[0] ?? '').kind === 'known');
    return known.length * 2 < options.length || known.length === 0
      ? undefined
      : { program: 'vllm', name: '', launcher: [], words: command.words, wrapped: true, command };
  };
}

/** Files that ConfigMaps of the same stream carry, by their names. */
export function carriedFiles(tree: ConfigTree): (path: string) => MapNode | undefined {
  const files = new Map<string, MapNode>();
  for (const object of objectsOf(tree)) {
    if (kindOf(object) !== 'ConfigMap') continue;
    for (const { key, value } of mapOf(object, 'data')?.entries ?? []) {
      const root = isScalar(value) && /\.ya?ml$/.test(key) ? embeddedYaml(value, tree.text) : undefined;
      if (root !== undefined) files.set(key, root);
    }
  }
  return (path) => files.get(path.split('/').at(-1) ?? path);
}

/** Launches of every object of a stream. Custom resource definitions only describe commands. */
export function manifestLaunches(tree: ConfigTree): Placed[] {
  return objectsOf(tree)
    .filter((object) => kindOf(object) !== 'CustomResourceDefinition' && kindOf(object) !== 'ConfigMap')
    .flatMap((object) => launchesIn(object, tree.text, argumentsOf(kindOf(object), tree.text)));
}

/** Reads launches with what the manifest says of their pods. */
export function readPlaced(placed: readonly Placed[], tree: ConfigTree, read: ReadCompanion): Launch[] {
  const embedded = carriedFiles(tree);
  return placed.map(({ launched, pod }) =>
    readLaunch(launched, {
      text: tree.text,
      read,
      embedded,
      cluster: clusterOf(pod),
      ...(pod.role === undefined ? {} : { role: pod.role }),
    }),
  );
}
