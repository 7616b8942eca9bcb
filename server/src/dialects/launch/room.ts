import type { Finding } from '../../plan/finding';
import { placed } from '../../plan/rules/rule-context';
import type { Pod } from './containers';
import type { Launch } from './launch';

/** Programs whose parallel degrees say how many GPUs one copy takes. */
const SERVERS = new Set(['sglang', 'vllm', 'tensorrt-llm']);

/**
 * Says where the pods of one server hold fewer GPUs than one copy of its model is split over: the engine waits for ranks that never come,
 * or stops with a device number that does not exist.
 */
export function roomFindings(launch: Launch, pod: Pod): Finding[] {
  const { tensor, pipeline } = launch.reading.plan.layout;
  const { gpus, pods } = pod;
  // Chips of a TPU hold one core or two, and ranks are cores.
  if (gpus?.label?.endsWith('tpu') === true) return [];
  if (!SERVERS.has(launch.program) || gpus === undefined || tensor === undefined || pipeline === undefined) return [];
  const { nodes } = launch.reading.plan.cluster;
  // Ray, several pods and node counts from outside can bring GPUs that this document does not show.
  const several = pods ?? (nodes?.origin === 'file' && nodes.value > 1 ? undefined : { value: 1 });
  if (several === undefined || usesRay(launch)) return [];
  const need = tensor.value * pipeline.value;
  const have = gpus.value * several.value;
  if (!(need > have) || (tensor.at === undefined && pipeline.at === undefined)) return [];
  const group = pods === undefined || pods.value === 1 ? '' : ` × ${pods.value} pods = ${have} GPUs`;
  return [
    {
      rule: 'launch-exceeds-gpus',
      severity: 'warning',
      message: `One copy of the model is split over ${need} GPUs (tensor × pipeline parallelism), but ${pods === undefined ? `${gpus.label === 'CUDA_VISIBLE_DEVICES' ? 'CUDA_VISIBLE_DEVICES leaves' : 'the container asks for'}` : 'each member of its group asks for'} ${gpus.value}${group}.`,
      ...placed([
        { value: tensor.origin === 'file' ? tensor : pipeline, says: 'the parallel degree' },
        { value: gpus, says: `${gpus.value} GPUs of one pod` },
        { value: pods, says: 'pods of one group' },
      ]),
    },
  ];
}

function usesRay({ options }: Launch): boolean {
  return options.entries.some(
    ({ key, value }) =>
      key.replaceAll('_', '-') === 'distributed-executor-backend' && value.kind === 'scalar' && value.value === 'ray',
  );
}
