import { coverageOf, isOn, type Condition, type Coverage } from '../common/conditions';
import { rowConditions, type Row } from '../common/rows';
import type { Source } from '../deepspeed/source';
import { nemoRlFile } from './framework';
import { backendOf, DTENSOR, MEGATRON } from './plan';

const POLICY = nemoRlFile('models/policy/lm_policy.py', 'Policy.__init__');
const BACKENDS = [`${MEGATRON}.enabled`, `${DTENSOR}.enabled`];
const PACKING = 'policy.sequence_packing.enabled';
const DYNAMIC = 'policy.dynamic_batching.enabled';
const MICRO = 'policy.train_micro_batch_size';
const LOGPROB = 'policy.logprob_batch_size';
const ON_POLICY = 'loss_fn.force_on_policy_ratio';

function tensorKey(s: Source): string {
  return backendOf(s) === 'megatron' ? `${MEGATRON}.tensor_model_parallel_size` : `${DTENSOR}.tensor_parallel_size`;
}

const ROWS: readonly Row<Source>[] = [
  [
    'two-backends',
    '',
    POLICY,
    BACKENDS,
    (s) => BACKENDS.every((key) => isOn(s, key)),
    'megatron_cfg and dtensor_cfg are both enabled; NeMo-RL trains with one of them.',
  ],
  [
    'no-backend',
    '',
    POLICY,
    BACKENDS,
    (s) => s.complete !== false && BACKENDS.every((key) => s.flag(key) === false),
    'Neither megatron_cfg nor dtensor_cfg is enabled; NeMo-RL needs one of them.',
  ],
  [
    'draft-needs-megatron',
    '',
    POLICY,
    ['policy.draft.enabled', ...BACKENDS],
    (s) => isOn(s, 'policy.draft.enabled') && backendOf(s) === 'dtensor',
    'policy.draft works with the Megatron backend alone.',
  ],
  [
    'draft-with-packing',
    '',
    POLICY,
    ['policy.draft.enabled', PACKING],
    (s) => isOn(s, 'policy.draft.enabled') && isOn(s, PACKING),
    'policy.draft does not work with sequence packing.',
  ],
  [
    'lora-needs-dtensor-v2',
    '',
    POLICY,
    [`${DTENSOR}.lora_cfg.enabled`, `${DTENSOR}._v2`],
    (s) => backendOf(s) === 'dtensor' && isOn(s, `${DTENSOR}.lora_cfg.enabled`) && s.flag(`${DTENSOR}._v2`) === false,
    'LoRA needs dtensor_cfg._v2: true.',
    'error',
    [`${DTENSOR}._v2`, 'true'],
  ],
  [
    'replicas-need-dtensor-v2',
    '',
    POLICY,
    [`${DTENSOR}.dp_replicate_size`, `${DTENSOR}._v2`],
    (s) =>
      backendOf(s) === 'dtensor' &&
      (s.integer(`${DTENSOR}.dp_replicate_size`) ?? 1) > 1 &&
      s.flag(`${DTENSOR}._v2`) === false,
    'dp_replicate_size above 1 needs dtensor_cfg._v2: true.',
    'error',
    [`${DTENSOR}._v2`, 'true'],
  ],
  [
    'packing-with-dynamic-batching',
    '',
    POLICY,
    [PACKING, DYNAMIC],
    (s) => isOn(s, PACKING) && isOn(s, DYNAMIC),
    'Sequence packing and dynamic batching exclude each other.',
  ],
  [
    'dynamic-batching-with-pipeline',
    '',
    POLICY,
    [DYNAMIC, `${MEGATRON}.pipeline_model_parallel_size`],
    (s) =>
      isOn(s, DYNAMIC) &&
      backendOf(s) === 'megatron' &&
      (s.integer(`${MEGATRON}.pipeline_model_parallel_size`) ?? 1) > 1,
    'Dynamic batching works with one pipeline stage alone.',
  ],
  [
    'context-needs-packing',
    '',
    nemoRlFile('models/megatron/setup.py', '_validate_training_config'),
    [`${MEGATRON}.context_parallel_size`, PACKING],
    (s) =>
      backendOf(s) === 'megatron' &&
      (s.integer(`${MEGATRON}.context_parallel_size`) ?? 1) > 1 &&
      s.flag(PACKING) === false,
    'Context parallelism of the Megatron backend needs policy.sequence_packing.enabled: true.',
    'error',
    [PACKING, 'true'],
  ],
];

const accuracy: Condition<Source> = {
  rule: 'logprob-batch-differs',
  severity: 'warning',
  covers: [],
  keys: [MICRO, LOGPROB, `${MEGATRON}.tensor_model_parallel_size`, `${DTENSOR}.tensor_parallel_size`, ON_POLICY],
  source: POLICY,
  says: (s) => {
    const tensor = s.integer(tensorKey(s)) ?? 1;
    const micro = s.integer(MICRO);
    const batch = s.integer(LOGPROB);
    if (backendOf(s) === undefined || tensor < 4 || micro === undefined || batch === undefined || micro === batch)
      return undefined;
    return isOn(s, ON_POLICY)
      ? undefined
      : `train_micro_batch_size ${micro} and logprob_batch_size ${batch} differ: with ${tensor} tensor-parallel ranks results depend on the batch, and NeMo-RL stops unless NRL_IGNORE_TP_ACCURACY_CHECK is set.`;
  },
};

/** What NeMo-RL refuses. */
export const nemoRlConditions: readonly Condition<Source>[] = [...rowConditions(ROWS), accuracy];

/** Gathered start-up rules that the NeMo-RL dialect decides: none was gathered, these are its own. */
export const nemoRlCoverage: readonly Coverage[] = coverageOf(nemoRlConditions);
