import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { isScalar, childOf, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

const OWN = [
  'num_processes',
  'num_machines',
  'machine_rank',
  'main_training_function',
  'downcast_bf16',
  'same_network',
  'rdzv_backend',
  'tpu_use_cluster',
  'main_process_ip',
  'main_process_port',
  'fp8_config',
  'gpu_ids',
  'dynamo_config',
  'tpu_env',
  'enable_cpu_affinity',
];
const TYPES = /^(no|multi_[a-z]+|fsdp|deepspeed|megatron_lm|tp|xla|tpu|data_parallel|model_parallel)$/i;

/** Accelerate's launch configuration. */
export function detectAccelerate(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || tree.language === 'arguments') return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  const type = childOf(root, 'distributed_type');
  const typed = isScalar(type) && (typeof type.value !== 'string' || type.unresolved || TYPES.test(type.value));
  const environment = childOf(root, 'compute_environment');
  const place =
    isScalar(environment) && /^(LOCAL_MACHINE|AMAZON_SAGEMAKER|TPU)$/.test(environment.raw.replaceAll(/['"]/g, ''));
  const prefixed = [
    ['fsdp_config', 'fsdp_'],
    ['parallelism_config', 'parallelism_config_'],
    ['megatron_lm_config', 'megatron_lm_'],
  ].some(
    ([section = '', prefix = '']) => mapOf(root, section)?.entries.some(({ key }) => key.startsWith(prefix)) === true,
  );
  return weigh('accelerate', [
    when(typed, 0.5, 'key `distributed_type`'),
    when(place, 0.5, 'key `compute_environment`'),
    keysSeen(keys, OWN, 0.1, 0.4),
    when(prefixed, 0.2, 'section with keys of the launcher'),
    when(keys.has('mixed_precision'), 0.1, 'key `mixed_precision`'),
    when(keys.has('base_model') || keys.has('model_name_or_path'), -0.6, 'names a model'),
  ]);
}
