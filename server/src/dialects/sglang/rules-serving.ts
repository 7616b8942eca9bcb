import type { SglangFacts, SglangRule } from './facts';

const EAGLE = ['arg_groups/speculative_hook.py', '_handle_eagle_family'] as const;
const NGRAM = ['arg_groups/speculative_hook.py', '_handle_ngram'] as const;
const CHECK = ['server_args.py', 'ServerArgs.check_server_args'] as const;
const SPLIT = ['arg_groups/pd_disaggregation_hook.py', 'handle_pd_disaggregation'] as const;
const TOPK = 'speculative-eagle-topk';
const STEPS = 'speculative-num-steps';
const DRAFT = 'speculative-num-draft-tokens';
const BACKENDS = ['attention-backend', 'prefill-attention-backend', 'decode-attention-backend'];
const EAGLES = new Set(['EAGLE', 'EAGLE3', 'NEXTN', 'STANDALONE']);

function isEagle({ speculation }: SglangFacts): boolean {
  return speculation !== undefined && EAGLES.has(speculation);
}

const SPECULATION: readonly SglangRule[] = [
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['SG-SPEC01'],
    keys: [TOPK, DRAFT, STEPS, 'speculative-algorithm', 'speculative-adaptive'],
    source: EAGLE,
    says: (facts) => {
      const given = [TOPK, DRAFT].filter((flag) => facts.has(flag));
      return isEagle(facts) && !facts.has(STEPS) && given.length > 0 && !facts.args.flag('speculative-adaptive')
        ? `${given.join(' and ')} without ${STEPS}: SGLang takes all three of them or none.`
        : undefined;
    },
  },
  {
    rule: 'draft-tokens-replaced',
    severity: 'information',
    covers: ['SG-SPEC02'],
    keys: [DRAFT, STEPS, TOPK, 'speculative-algorithm'],
    source: EAGLE,
    says: (facts) => {
      const [topk, steps, draft] = [TOPK, STEPS, DRAFT].map((flag) => facts.args.integer(flag));
      return isEagle(facts) && topk === 1 && steps !== undefined && draft !== undefined && draft !== steps + 1
        ? `${DRAFT} ${draft} becomes ${steps + 1}: with ${TOPK} 1 it is ${STEPS} + 1.`
        : undefined;
    },
    fixes: ({ args }) => [[DRAFT, (args.integer(STEPS) ?? 0) + 1]],
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['SG-SPEC03'],
    keys: [TOPK, 'page-size', ...BACKENDS],
    source: EAGLE,
    says: (facts) => {
      const topk = facts.args.integer(TOPK) ?? 1;
      const backend = facts.word('attention-backend', '');
      const page = facts.page ?? 1;
      return isEagle(facts) &&
        topk > 1 &&
        page > 1 &&
        backend !== '' &&
        !['flashinfer', 'fa3', 'triton'].includes(backend)
        ? `${TOPK} ${topk} with pages of ${page} tokens needs attention-backend flashinfer, fa3 or triton, not ${backend}; or page-size 1.`
        : undefined;
    },
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['SG-SPEC04'],
    keys: [TOPK, ...BACKENDS],
    source: EAGLE,
    says: (facts) => {
      const topk = facts.args.integer(TOPK) ?? 1;
      const flag = BACKENDS.find((name) => facts.word(name, '') === 'trtllm_mha');
      return isEagle(facts) && topk > 1 && flag !== undefined && facts.has(STEPS)
        ? `${flag} trtllm_mha takes ${TOPK} 1 only, not ${topk}.`
        : undefined;
    },
  },
  {
    rule: 'concurrency-capped',
    severity: 'information',
    covers: ['SG-SPEC05'],
    keys: ['speculative-algorithm', 'max-running-requests'],
    source: EAGLE,
    says: ({ speculation, has, data, degrees: { attentionData } }) =>
      speculation !== undefined && !has('max-running-requests')
        ? `Speculative decoding sets max-running-requests to 48${attentionData && (data ?? 1) > 1 ? `, ${Math.floor(48 / (data ?? 1))} on each data rank,` : ''} where the file leaves it out.`
        : undefined,
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['SG-SPEC06'],
    keys: ['speculative-algorithm', 'enable-dp-attention', 'dp-size'],
    source: EAGLE,
    says: ({ speculation, degrees: { attentionData } }) =>
      attentionData && (speculation === 'STANDALONE' || speculation === 'NGRAM')
        ? `speculative-algorithm ${speculation} cannot go with enable-dp-attention.`
        : undefined,
  },
  {
    rule: 'speculation-invalid',
    severity: 'error',
    covers: ['SG-SPEC07'],
    keys: ['speculative-algorithm', 'speculative-ngram-max-bfs-breadth', 'page-size', 'attention-backend'],
    source: NGRAM,
    says: (facts) => {
      const breadth = facts.args.integer('speculative-ngram-max-bfs-breadth');
      const backend = facts.word('attention-backend', '');
      return facts.speculation === 'NGRAM' &&
        breadth !== undefined &&
        breadth > 1 &&
        (facts.page ?? 1) > 1 &&
        backend !== '' &&
        backend !== 'flashinfer'
        ? `speculative-ngram-max-bfs-breadth ${breadth} with pages of ${facts.page ?? ''} tokens needs attention-backend flashinfer.`
        : undefined;
    },
  },
  {
    rule: 'scheduling-replaced',
    severity: 'information',
    covers: ['SG-SPEC08'],
    keys: ['enable-mixed-chunk', 'speculative-algorithm'],
    source: EAGLE,
    says: ({ args, speculation }) =>
      args.flag('enable-mixed-chunk') && speculation !== undefined
        ? 'Speculative decoding switches enable-mixed-chunk off.'
        : undefined,
  },
  {
    rule: 'draft-model-unneeded',
    severity: 'warning',
    covers: ['SG-SPEC09'],
    keys: ['speculative-draft-model-path', 'speculative-algorithm', 'model-path'],
    source: EAGLE,
    says: (facts) =>
      isEagle(facts) &&
      facts.speculation !== 'STANDALONE' &&
      facts.has('speculative-draft-model-path') &&
      (facts.model?.mtpLayers ?? 0) > 0 &&
      /^deepseek_v(?:3|32|4)$|^glm4_moe$/.test(facts.model?.family ?? '') &&
      facts.word('speculative-draft-model-path', '') === facts.word('model-path', '')
        ? `${facts.model?.name ?? 'The model'} predicts several tokens by itself: speculative-draft-model-path is not needed.`
        : undefined,
  },
];

const DISAGGREGATION: readonly SglangRule[] = [
  {
    rule: 'radix-cache-replaced',
    severity: 'information',
    covers: ['SG-PD01'],
    keys: ['disable-radix-cache', 'disaggregation-mode', 'disaggregation-decode-enable-radix-cache'],
    source: SPLIT,
    says: ({ args, word, has }) =>
      word('disaggregation-mode', '') === 'decode' &&
      !args.flag('disaggregation-decode-enable-radix-cache') &&
      (!has('disable-radix-cache') || !args.flag('disable-radix-cache'))
        ? 'A decode server runs without the radix cache, as with disable-radix-cache.'
        : undefined,
  },
  {
    rule: 'disaggregation-conflict',
    severity: 'error',
    covers: ['SG-PD02'],
    keys: [
      'disaggregation-decode-enable-radix-cache',
      'disaggregation-mode',
      'speculative-algorithm',
      'enable-hisparse',
      'disaggregation-transfer-backend',
    ],
    source: SPLIT,
    says: ({ args, word, speculation }) => {
      if (!args.flag('disaggregation-decode-enable-radix-cache') || word('disaggregation-mode', '') !== 'decode')
        return undefined;
      const against =
        speculation !== undefined
          ? 'speculative decoding'
          : args.flag('enable-hisparse')
            ? 'enable-hisparse'
            : word('disaggregation-transfer-backend', '') === 'fake'
              ? 'the transfer backend fake'
              : undefined;
      return against === undefined ? undefined : `disaggregation-decode-enable-radix-cache cannot go with ${against}.`;
    },
  },
  {
    rule: 'disaggregation-conflict',
    severity: 'error',
    covers: ['SG-PD03'],
    keys: ['disaggregation-transfer-backend', 'disaggregation-mode'],
    source: SPLIT,
    says: ({ word }) =>
      word('disaggregation-mode', '') === 'prefill' && word('disaggregation-transfer-backend', '') === 'fake'
        ? 'A prefill server has no disaggregation-transfer-backend fake.'
        : undefined,
  },
  {
    rule: 'disaggregation-conflict',
    severity: 'error',
    covers: ['SG-PD04'],
    keys: ['dcp-size', 'disaggregation-transfer-backend', 'enable-hierarchical-cache', 'disaggregation-mode'],
    source: SPLIT,
    says: ({ args, word, count }) => {
      if (word('disaggregation-mode', '') !== 'decode' || count('dcp-size', 1) <= 1) return undefined;
      const backend = word('disaggregation-transfer-backend', 'mooncake');
      if (!['mooncake', 'nixl', 'fake'].includes(backend))
        return `dcp-size above 1 on a decode server needs disaggregation-transfer-backend mooncake or nixl, not ${backend}.`;
      const flag = ['enable-hierarchical-cache', 'disaggregation-decode-enable-radix-cache'].find((name) =>
        args.flag(name),
      );
      return flag === undefined ? undefined : `dcp-size above 1 on a decode server cannot go with ${flag}.`;
    },
  },
];

const SCHEDULING: readonly SglangRule[] = [
  {
    rule: 'served-name-invalid',
    severity: 'error',
    covers: ['SG-MISC01'],
    keys: ['served-model-name'],
    source: CHECK,
    says: ({ word }) => {
      const name = word('served-model-name', '');
      return name.includes(':') && !/^(?:s3|gs|az):\/\//.test(name)
        ? `served-model-name \`${name}\` holds a colon, which SGLang keeps for model:adapter.`
        : undefined;
    },
  },
  {
    rule: 'scheduling-conflict',
    severity: 'error',
    covers: ['SG-MISC02'],
    keys: ['schedule-policy', 'retraction-policy', 'enable-priority-scheduling'],
    source: CHECK,
    says: ({ args, word }) => {
      const policy = word('schedule-policy', 'fcfs');
      if (args.flag('enable-priority-scheduling') && !['fcfs', 'lof'].includes(policy))
        return `enable-priority-scheduling needs schedule-policy fcfs or lof, not ${policy}.`;
      return word('retraction-policy', '') === 'priority' && !args.flag('enable-priority-scheduling')
        ? 'retraction-policy priority needs enable-priority-scheduling.'
        : undefined;
    },
  },
  {
    rule: 'scheduling-conflict',
    severity: 'error',
    covers: ['SG-MISC03'],
    keys: ['disable-cuda-graph-padding', 'enable-torch-compile'],
    source: CHECK,
    says: ({ args }) =>
      args.flag('disable-cuda-graph-padding') && args.flag('enable-torch-compile')
        ? 'disable-cuda-graph-padding cannot go with enable-torch-compile: every batch size would be compiled.'
        : undefined,
  },
  {
    rule: 'scheduling-conflict',
    severity: 'error',
    covers: ['SG-MISC04'],
    keys: ['enable-pdmux', 'pp-size', 'chunked-prefill-size', 'disaggregation-mode', 'disable-overlap-schedule'],
    source: CHECK,
    says: ({ args, pipeline, word }) => {
      if (!args.flag('enable-pdmux')) return undefined;
      if ((pipeline ?? 1) !== 1) return `enable-pdmux needs pp-size 1, not ${pipeline ?? ''}.`;
      if (args.integer('chunked-prefill-size') !== -1) return 'enable-pdmux needs chunked-prefill-size -1.';
      if (word('disaggregation-mode', 'null') !== 'null') return 'enable-pdmux cannot go with disaggregation-mode.';
      return args.flag('disable-overlap-schedule') ? undefined : 'enable-pdmux needs disable-overlap-schedule.';
    },
  },
  {
    rule: 'fraction-out-of-range',
    severity: 'error',
    covers: ['SG-MEM05'],
    keys: ['swa-full-tokens-ratio'],
    source: ['server_args.py', 'ServerArgs._handle_cache_compatibility'],
    says: ({ args }) => {
      const ratio = args.number('swa-full-tokens-ratio');
      return ratio !== undefined && !(ratio > 0 && ratio <= 1)
        ? `swa-full-tokens-ratio ${ratio} has to be above 0 and at most 1.`
        : undefined;
    },
  },
  {
    rule: 'concurrency-capped',
    severity: 'hint',
    covers: ['SG-MEM04'],
    keys: ['max-running-requests', 'dp-size', 'enable-dp-attention'],
    source: ['mem_cache/kv_cache_configurator.py', 'KVCacheConfigurator'],
    says: ({ args, data, degrees: { attentionData } }) => {
      const asked = args.integer('max-running-requests');
      return asked !== undefined && attentionData && data !== undefined && data > 1
        ? `max-running-requests ${asked} is the sum over the data ranks: ${Math.floor(asked / data)} on each of ${data}.`
        : undefined;
    },
  },
];

export const servingRules: readonly SglangRule[] = [...SPECULATION, ...DISAGGREGATION, ...SCHEDULING];
