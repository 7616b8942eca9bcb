import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { childOf, entryOf, hasKey, integerOf, mapOf, textOf, wordsOf } from '../common/nodes';
import { written } from '../common/sourced';
import { readHandedOn } from '../launch/handed-on';
import type { Around, Launch } from '../launch/launch';
import type { Program } from '../launch/programs';
import { matchKey } from '../sglang/keys';
import { matchVllmKey } from '../vllm/keys';

type Engine = Exclude<Program, 'megatron' | 'trainer' | 'verl'>;

/** Keys of a service that are Dynamo's own. */
const OWN = ['ServiceArgs', 'common-configs', 'endpoint', 'port', 'router'];

/** A service of a `dynamo serve` file: a CamelCase name with arguments or `ServiceArgs` below. */
function isService({ key, value }: Entry): boolean {
  return /^[A-Z][A-Za-z0-9]+$/.test(key) && key !== 'Common' && value.kind === 'map';
}

/** Services that hold what only Dynamo puts into a file: resources, common arguments, or the endpoint of another service. */
export function dynamoServices(root: MapNode): Entry[] {
  const services = root.entries.filter(isService);
  const isOwn = ({ value }: Entry): boolean =>
    hasKey(value, 'ServiceArgs') ||
    hasKey(value, 'common-configs') ||
    (textOf(childOf(value, 'endpoint')) ?? '').startsWith('dynamo.');
  const strange = root.entries.filter((entry) => !isService(entry) && entry.key !== 'Common');
  return strange.length === 0 && services.some(isOwn) ? services : [];
}

function known(options: readonly Entry[], isKnown: (key: string) => boolean): number {
  return options.filter(({ key }) => isKnown(key.replaceAll('_', '-'))).length;
}

/** The engine of a service: by its name, else by the options that it holds. A frontend or a planner has none. */
function engineOf(name: string, options: readonly Entry[]): Engine | undefined {
  if (/frontend|processor|router|planner|prometheus|balancer/i.test(name)) return undefined;
  if (/trtllm|tensorrt/i.test(name)) return 'tensorrt-llm';
  if (/sglang/i.test(name)) return 'sglang';
  if (/vllm/i.test(name)) return 'vllm';
  const vllm = known(options, (key) => matchVllmKey(key).kind === 'known');
  const sglang = known(options, (key) => matchKey(key).kind === 'known');
  if (!/worker/i.test(name) || Math.max(vllm, sglang) === 0) return undefined;
  return sglang > vllm ? 'sglang' : 'vllm';
}

/** The service's arguments after those of `Common` that it asks for. */
function optionsIn(root: MapNode, service: MapNode): Entry[] {
  const asked = wordsOf(childOf(service, 'common-configs')) ?? [];
  const shared = (mapOf(root, 'Common')?.entries ?? []).filter(({ key }) => asked.includes(key));
  const own = service.entries.filter(({ key }) => !OWN.includes(key));
  const names = new Set(own.map(({ key }) => key));
  return [...shared.filter(({ key }) => !names.has(key)), ...own];
}

function gpusOf(service: ConfigNode): Entry | undefined {
  return entryOf(mapOf(mapOf(service, 'ServiceArgs'), 'resources'), 'gpu');
}

/** Reads every engine of a `dynamo serve` file. */
export function serviceLaunches(root: MapNode, around: Around): Launch[] {
  return dynamoServices(root).flatMap(({ key, value }): Launch[] => {
    if (value.kind !== 'map') return [];
    const entries = optionsIn(root, value);
    const program = engineOf(key, entries);
    if (program === undefined) return [];
    const gpu = gpusOf(value);
    const gpus = integerOf(gpu?.value);
    const model = entries.find((entry) => ['model', 'model-path'].includes(entry.key));
    return [
      readHandedOn(
        {
          program,
          options: { ...value, entries },
          role: key,
          ...(gpu === undefined || gpus === undefined || gpus < 1
            ? {}
            : { cluster: { gpusPerNode: written(gpus, gpu) } }),
          ...(model === undefined ? {} : { model }),
        },
        around,
      ),
    ];
  });
}
