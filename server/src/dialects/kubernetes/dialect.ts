import type { ConfigTree, MapNode } from '../../syntax/tree';
import { when, weigh } from '../common/evidence';
import type { Detection, Dialect, DialectReading, ReadCompanion } from '../dialect';
import { combine } from '../launch/combine';
import { roomFindings } from '../launch/room';
import { kindOf, manifestLaunches, objectsOf, readPlaced } from './manifest';
import {
  dynamoWorkers,
  emptyPlan,
  readStack,
  readValuesMap,
  stackSpecs,
  valuesLaunches,
  valuesMaps,
  valuesRoot,
  workloadOf,
} from './values';

/** Words that every launch of ours has somewhere; looking for them is far cheaper than reading commands. */
export const LAUNCH_WORDS =
  /vllm|sglang|trtllm|dynamo|model-parallel-size|server_?args|max-model-len|RoleBasedGroup|StormService|configFile|verl\.|per[_-]device[_-]train|deepspeed|model[-_]id|modelFormat/i;

/** Kinds of objects that only serve or train models, by their API group; those of the second need a word of an engine of ours beside. */
const OWN_KINDS = /^(?:RoleBasedGroup(?:Set)?|StormService|RoleSet|LLMInferenceService(?:Config)?|VLLMRuntime)$/;
const SERVING_KINDS =
  /^(?:ClusterServingRuntime|ServingRuntime|InferenceService|RayCluster|RayService|LeaderWorkerSet)$/;

/** The first kind that speaks for inference of itself. */
function servingKind(objects: readonly MapNode[], text: string): string | undefined {
  const engine = /vllm|sglang|trtllm|huggingfaceserver/i.test(text);
  return objects.map(kindOf).find((kind) => OWN_KINDS.test(kind) || (engine && SERVING_KINDS.test(kind)));
}

function detect(tree: ConfigTree, _fileName: string): Detection | undefined {
  if (tree.language !== 'yaml' || !LAUNCH_WORDS.test(tree.text)) return undefined;
  const objects = objectsOf(tree);
  const launches = objects.length === 0 ? [] : manifestLaunches(tree);
  const [first] = launches;
  const stacks = objects.flatMap(stackSpecs);
  if (objects.length > 0) {
    const kind = servingKind(objects, tree.text);
    return weigh('kubernetes', [
      when(kind !== undefined && first === undefined && stacks.length === 0, 0.6, `kind ${kind ?? ''}`),
      when(
        first !== undefined,
        0.9,
        `kind ${objects.map(kindOf).find((kind) => kind !== '') ?? ''} with a container that starts ${first?.launched.program ?? ''}`,
      ),
      when(stacks.length > 0, 0.9, '`spec.vllmConfig` of the vLLM production stack'),
    ]);
  }
  const root = valuesRoot(tree);
  if (root === undefined) return undefined;
  return weigh('kubernetes', [
    when(stackSpecs(root).length > 0, 0.9, '`servingEngineSpec.modelSpec` of the vLLM production stack'),
    when(valuesMaps(root).length > 0, 0.8, 'chart values with `serverArgs` of an inference server'),
    when(workloadOf(root) !== undefined, 0.7, 'chart values with `workload.framework` and `workload.configFile`'),
    when(dynamoWorkers(root).length > 0, 0.7, 'chart values with the workers of Dynamo'),
    when(
      valuesLaunches(root, tree.text).length > 0,
      0.7,
      'chart values with a container that starts an inference server',
    ),
  ]);
}

function read(tree: ConfigTree, companion: ReadCompanion): DialectReading {
  const objects = objectsOf(tree);
  const root = objects.length === 0 ? tree.documents.find((node) => node.kind === 'map') : undefined;
  const placed = root === undefined ? manifestLaunches(tree) : valuesLaunches(root, tree.text);
  const commands = readPlaced(placed, tree, companion);
  const room = commands.flatMap((launch, i) => {
    const pod = placed[i]?.pod;
    return pod === undefined || !launch.complete ? [] : roomFindings(launch, pod);
  });
  const specs = root === undefined ? objects.flatMap(stackSpecs) : stackSpecs(root);
  const stacks = specs.map((spec) => readStack(spec, tree, companion));
  const maps = root === undefined ? [] : valuesMaps(root).map((found) => readValuesMap(found, root, tree, companion));
  const launches = [...commands, ...stacks, ...maps];
  if (launches.length === 0 && root !== undefined) return { plan: emptyPlan(root), findings: [], references: [] };
  return combine(launches, room);
}

/** Kubernetes objects of every flavour, and the values of charts that make them. */
export const kubernetes: Dialect = { id: 'kubernetes', title: 'Kubernetes manifest', detect, read };
