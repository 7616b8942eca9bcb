import { describe, expect, it } from 'vitest';
import { readTrtllmArguments, trtArity } from '../../../server/src/dialects/tensorrt-llm/arguments';
import { parseArguments } from '../../../server/src/syntax/arguments';
import { parseConfig } from '../../../server/src/syntax/parse';
import { itJudges, type RuleCase } from './cases';
import { dialectOf, readAs, told } from './reading';
import { analyzeServing, expertsJson, modelJson, servingRules } from './served';

const BASE = 'tensor_parallel_size: 8\nkv_cache_config:\n  free_gpu_memory_fraction: 0.85\n';

function judged(rule: string, severity: RuleCase['severity'], fires: string, silent: string, says?: RegExp): RuleCase {
  return { rule, severity, fires: BASE + fires, silent: BASE + silent, ...(says === undefined ? {} : { says }) };
}

const error = (rule: string, fires: string, silent: string, says?: RegExp): RuleCase =>
  judged(rule, 'error', fires, silent, says);

describe('keys and values', () => {
  itJudges('tensorrt-llm', 'yaml', [
    error('unknown-key', '  enable_blok_reuse: false\n', '  enable_block_reuse: false\n', /enable_block_reuse/),
    judged(
      'unknown-key',
      'warning',
      '  tensor_parallel_size: 8\n',
      'max_batch_size: 8\n',
      /`tensor_parallel_size` is the key of that name/,
    ),
    judged('removed-key', 'warning', 'use_cuda_graph: true\n', 'cuda_graph_config: {}\n', /cuda_graph_config/),
    judged('wrong-value', 'warning', 'moe_config: { backend: WIDEEP }\n', 'moe_config: { backend: CUTLASS }\n'),
    error('wrong-value', 'moe_config: { backend: cutlass }\n', 'moe_config: { backend: CUTLASS }\n', /CUTLASS/),
    error(
      'wrong-value',
      'cache_transceiver_config: { backend: RDMA }\n',
      'cache_transceiver_config: { backend: UCX }\n',
    ),
    error('wrong-type', 'max_batch_size: many\n', 'max_batch_size: "64"\n'),
    error('wrong-value', '  dtype: fp4\n', '  dtype: fp8\n'),
  ]);
});

describe('layout and experts', () => {
  itJudges('tensorrt-llm', 'yaml', [
    error(
      'expert-groups-not-filling',
      'moe_expert_parallel_size: 4\nmoe_tensor_parallel_size: 4\n',
      'moe_expert_parallel_size: 4\nmoe_tensor_parallel_size: 2\n',
      /16/,
    ),
    error('expert-groups-not-filling', 'moe_expert_parallel_size: 3\n', 'moe_expert_parallel_size: -1\n'),
    error(
      'context-parallel-conflict',
      'context_parallel_size: 2\nmoe_expert_parallel_size: 8\n',
      'context_parallel_size: 2\n',
    ),
    error(
      'stage-layers-mismatch',
      'pipeline_parallel_size: 2\npp_partition: [10, 10, 12]\n',
      'pipeline_parallel_size: 2\npp_partition: [16, 16]\n',
    ),
    error(
      'cache-setting-conflict',
      'context_parallel_size: 2\ncp_config: { cp_type: HELIX, tokens_per_block: 64 }\n',
      'context_parallel_size: 2\ncp_config: { cp_type: HELIX, tokens_per_block: 32 }\n',
    ),
    error(
      'slots-not-divisible',
      'moe_expert_parallel_size: 8\nenable_attention_dp: true\nmoe_config: { load_balancer: { num_slots: 260 } }\n',
      'moe_expert_parallel_size: 8\nenable_attention_dp: true\nmoe_config: { load_balancer: { num_slots: 264 } }\n',
      /256 or 264/,
    ),
    error(
      'placement-wrong-slots',
      'moe_expert_parallel_size: 2\nmoe_tensor_parallel_size: 4\nenable_attention_dp: true\nmoe_config: { load_balancer: { num_slots: 4, initial_global_assignments: { 3: [0, 1, 2] } } }\n',
      'moe_expert_parallel_size: 2\nmoe_tensor_parallel_size: 4\nenable_attention_dp: true\nmoe_config: { load_balancer: { num_slots: 4, initial_global_assignments: { 3: [0, 1, 2, 3] } } }\n',
    ),
    judged(
      'load-balancer-ignored',
      'information',
      'moe_config: { load_balancer: { num_slots: 264 } }\n',
      'moe_expert_parallel_size: 8\nenable_attention_dp: true\nmoe_config: { load_balancer: { num_slots: 264 } }\n',
    ),
  ]);

  it('concludes nothing from degrees that a command elsewhere may give', () => {
    const file = 'moe_config: { load_balancer: { num_slots: 260 } }\nprint_iter_log: true\n';
    expect(told(readAs('tensorrt-llm', file).findings)).toEqual([]);
  });
});

describe('caches, graphs and features', () => {
  itJudges('tensorrt-llm', 'yaml', [
    error('cache-window-invalid', '  max_attention_window: [128, 0]\n', '  max_attention_window: [128, 4096]\n'),
    error('cache-window-invalid', '  pool_ratio: [0.5, 0.4]\n', '  pool_ratio: [0.5, 0.5]\n', /0.9/),
    {
      rule: 'fraction-out-of-range',
      severity: 'error',
      fires: 'tensor_parallel_size: 8\nkv_cache_config: { free_gpu_memory_fraction: 1.5 }\n',
      silent: 'tensor_parallel_size: 8\nkv_cache_config: { free_gpu_memory_fraction: 0.95 }\n',
    },
    error(
      'graph-sizes-conflict',
      'cuda_graph_config: { max_batch_size: 64, batch_sizes: [1, 32] }\n',
      'cuda_graph_config: { max_batch_size: 32, batch_sizes: [1, 32] }\n',
    ),
    judged('batch-limits-conflict', 'warning', 'max_batch_size: 64\nmax_num_tokens: 32\n', 'max_batch_size: 64\n'),
    judged(
      'speculation-replaced',
      'information',
      'speculative_config: { decoding_type: Eagle, max_draft_len: 3 }\n',
      'speculative_config: { decoding_type: Eagle3, max_draft_len: 3 }\n',
    ),
    error(
      'lora-conflict',
      'enable_lora: true\nenable_attention_dp: true\ncuda_graph_config: { max_batch_size: 8 }\n',
      'enable_lora: true\nenable_attention_dp: true\n',
    ),
  ]);
});

describe('with the model and other files', () => {
  const text = (body: string): string => `# shardlens: gpu=H200\nmodel: ./m\n${BASE}${body}`;
  const rows = (experts: number): string => `[${Array.from({ length: experts }, (_, index) => index).join(', ')}]`;
  const balanced = (map: string, slots = 8): string =>
    `moe_expert_parallel_size: 8\nenable_attention_dp: true\nmoe_config:\n  load_balancer: { num_slots: ${slots}, initial_global_assignments: ${map} }\n`;
  const moe = expertsJson({ num_hidden_layers: 2, num_experts: 8, num_experts_per_tok: 2 });
  const cases: readonly (readonly [string, string, string, string, Record<string, string>?])[] = [
    [
      'error heads-not-divisible',
      'dtype: bfloat16\n',
      'enable_attention_dp: true\n',
      modelJson({ num_attention_heads: 36, num_key_value_heads: 4 }),
    ],
    ['error stages-above-layers', 'pipeline_parallel_size: 3\n', 'pipeline_parallel_size: 2\n', moe],
    [
      'error stage-layers-mismatch',
      'pipeline_parallel_size: 2\npp_partition: [16, 15]\n',
      'pipeline_parallel_size: 2\npp_partition: [17, 15]\n',
      modelJson(),
    ],
    ['error placement-layer-missing', balanced(`{ 0: ${rows(8)} }`), balanced(`{ 0: ${rows(8)}, 1: ${rows(8)} }`), moe],
    [
      'warning placement-expert-missing',
      balanced(`{ 0: ${rows(8)}, 1: [0, 1, 2, 3, 4, 5, 6, 6] }`),
      balanced(`{ 0: ${rows(8)}, 1: ${rows(8)} }`),
      moe,
    ],
    ['error slots-below-experts', balanced('{}', 4), balanced('{}'), moe],
    [
      'error slots-not-divisible',
      'moe_expert_parallel_size: 8\nenable_attention_dp: true\nmoe_config: { load_balancer: odd.yaml }\n',
      'moe_expert_parallel_size: 8\nenable_attention_dp: true\nmoe_config: { load_balancer: even.yaml }\n',
      moe,
      { 'odd.yaml': 'num_slots: 12\n', 'even.yaml': 'num_slots: 16\n' },
    ],
    [
      'error kv-format-unsupported',
      '  dtype: nvfp4\n',
      '  dtype: fp8\n',
      modelJson(),
      { 'm/hf_quant_config.json': '{"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}' },
    ],
  ];
  it.each(cases.map((entry) => [entry[0], entry] as const))('%s', (_name, [rule, fires, silent, model, files = {}]) => {
    const all = { ...files, 'm/config.json': model };
    const told = (body: string): string[] => servingRules(text(body), all);
    expect(analyzeServing(text(fires), all).detection?.dialect).toBe('tensorrt-llm');
    expect(told(fires)).toContain(rule);
    expect(told(silent)).not.toContain(rule);
  });

  it('says which option of a command wins over its file', () => {
    const tree = parseConfig('args: --tp_size 4 --extra_llm_api_options extra.yaml\n', 'yaml');
    const root = tree.documents[0];
    const words = root?.kind === 'map' ? root.entries[0]?.value : undefined;
    const read = (file: string) => (path: string) =>
      path === 'extra.yaml' ? { uri: 'file:///extra.yaml', tree: parseConfig(file, 'yaml') } : undefined;
    const findings = (file: string): string[] =>
      words === undefined
        ? ['no words']
        : told(
            readTrtllmArguments(parseArguments(words, tree.text, trtArity), read(file), { text: tree.text }).findings,
          );
    expect(findings('tensor_parallel_size: 8\n')).toEqual(['information option-over-file']);
    expect(findings('max_batch_size: 8\n')).toEqual([]);
  });
});

describe('detection', () => {
  it('takes files of either year and wrappers, and nothing else', () => {
    expect(dialectOf('use_cuda_graph: true\nkv_cache_dtype: fp8\nmoe_backend: CUTLASS\n', 'x.yaml')).toBe(
      'tensorrt-llm',
    );
    expect(dialectOf('backend: pytorch\ntp_size: 8\nllm_api_args: { max_batch_size: 8 }\n', 'x.yaml')).toBe(
      'tensorrt-llm',
    );
    expect(dialectOf('max_batch_size: 8\nmax_seq_len: 128\n', 'x.yaml')).toBeUndefined();
  });
});

describe('prefill and decode servers in one file', () => {
  const file = (decode: string, extra = ''): string =>
    `hostname: localhost\nport: 8000\nmodel: org/model\nbackend: pytorch\ncontext_servers:\n  num_instances: 2\n  tensor_parallel_size: 4\n  kv_cache_config: { dtype: fp8 }\n  urls: ["localhost:8001"]\ngeneration_servers:\n  num_instances: 1\n  tensor_parallel_size: 8\n  kv_cache_config: { dtype: ${decode} }\n${extra}  urls: ["localhost:8002"]\n`;
  it('are read as what they are', () => {
    expect(dialectOf(file('fp8'), 'disagg.yaml')).toBe('tensorrt-llm');
    const { plan, findings } = readAs('tensorrt-llm', file('fp8'));
    expect(plan.layout.tensor?.value).toBe(8);
    expect(findings).toEqual([]);
  });
  it('share the format of the cache that they hand over', () => {
    expect(told(readAs('tensorrt-llm', file('auto')).findings)).toEqual(['warning transfer-mismatch']);
    expect(told(readAs('tensorrt-llm', file('fp8', '  max_batchsize: 8\n')).findings)).toEqual(['error unknown-key']);
  });
});

it('takes fields of decoding types that are not listed', () => {
  const drafts = (field: string): string[] =>
    told(
      readAs('tensorrt-llm', `speculative_config: { decoding_type: NGram, max_draft_len: 3, ${field}: 2 }\n`).findings,
    );
  expect(drafts('max_matching_ngram_size')).toEqual([]);
  expect(drafts('some_new_field')).toEqual([]);
  expect(told(readAs('tensorrt-llm', 'kv_cache_config: { some_new_field: 2 }\n').findings)).toEqual([
    'warning unknown-key',
  ]);
});
