import { describe, expect, it } from 'vitest';
import { itJudges, type RuleCase } from './cases';
import { dialectOf, fixed, readAs, told } from './reading';

const BASE = 'tensor-parallel-size: 8\nmax-num-seqs: 64\n';

function judged(rule: string, severity: RuleCase['severity'], fires: string, silent: string, says?: RegExp): RuleCase {
  return { rule, severity, fires: BASE + fires, silent: BASE + silent, ...(says === undefined ? {} : { says }) };
}

const error = (rule: string, fires: string, silent: string, says?: RegExp): RuleCase =>
  judged(rule, 'error', fires, silent, says);
const note = (rule: string, fires: string, silent: string, says?: RegExp): RuleCase =>
  judged(rule, 'information', fires, silent, says);

describe('parallelism', () => {
  itJudges('vllm', 'yaml', [
    error('context-parallel-conflict', 'decode-context-parallel-size: 3\n', 'decode-context-parallel-size: 4\n'),
    error(
      'context-parallel-conflict',
      'prefill-context-parallel-size: 2\ndata-parallel-size: 2\n',
      'prefill-context-parallel-size: 2\n',
    ),
    error(
      'context-parallel-conflict',
      'prefill-context-parallel-size: 2\ndecode-context-parallel-size: 4\n',
      'prefill-context-parallel-size: 2\ndecode-context-parallel-size: 16\n',
      /1, 2, 16/,
    ),
    error(
      'context-parallel-conflict',
      'dcp-comm-backend: a2a\n',
      'dcp-comm-backend: a2a\ndecode-context-parallel-size: 2\n',
    ),
    error(
      'data-parallel-conflict',
      'data-parallel-size: 2\ndata-parallel-size-local: 4\n',
      'data-parallel-size: 4\ndata-parallel-size-local: 4\n',
    ),
    error(
      'data-parallel-conflict',
      'data-parallel-external-lb: true\n',
      'data-parallel-external-lb: true\ndata-parallel-size: 2\n',
    ),
    error(
      'data-parallel-conflict',
      'data-parallel-size: 2\ndata-parallel-rank: 2\n',
      'data-parallel-size: 2\ndata-parallel-rank: 1\n',
      /0 to 1/,
    ),
    error(
      'executor-conflict',
      'nnodes: 2\ndistributed-executor-backend: ray\n',
      'nnodes: 2\ndistributed-executor-backend: mp\n',
    ),
    note('all2all-replaced', 'all2all-backend: pplx\n', 'all2all-backend: deepep_low_latency\n', /allgather/),
  ]);
});

describe('balancing of experts', () => {
  itJudges('vllm', 'yaml', [
    error('expert-balancing-conflict', 'enable-eplb: true\n', 'enable-eplb: true\nenable-expert-parallel: true\n'),
    {
      rule: 'expert-balancing-conflict',
      severity: 'error',
      fires: 'max-num-seqs: 64\nenable-eplb: true\nenable-expert-parallel: true\n',
      silent: 'max-num-seqs: 64\nenable-eplb: true\nenable-expert-parallel: true\ndata-parallel-size: 2\n',
    },
    error(
      'expert-balancing-conflict',
      'eplb-config: \'{"num_redundant_experts": 8}\'\n',
      'eplb-config: \'{"num_redundant_experts": 8}\'\nenable-eplb: true\nenable-expert-parallel: true\n',
    ),
    error(
      'expert-balancing-conflict',
      'enable-eplb: true\nenable-expert-parallel: true\neplb-config.communicator: torch_nccl\n',
      'enable-eplb: true\nenable-expert-parallel: true\neplb-config: \'{"communicator": "torch_nccl", "use_async": false}\'\n',
    ),
    note(
      'expert-placement-replaced',
      'enable-eplb: true\nenable-expert-parallel: true\nexpert-placement-strategy: round_robin\n',
      'enable-expert-parallel: true\nexpert-placement-strategy: round_robin\n',
      /linear/,
    ),
    note(
      'redundant-experts-many',
      'enable-eplb: true\nenable-expert-parallel: true\neplb-config: \'{"num_redundant_experts": 1024}\'\n',
      'enable-eplb: true\nenable-expert-parallel: true\neplb-config: \'{"num_redundant_experts": 1023}\'\n',
    ),
    error(
      'expert-balancing-conflict',
      'enable-elastic-ep: true\nenable-eplb: true\nenable-expert-parallel: true\npipeline-parallel-size: 2\n',
      'enable-elastic-ep: true\nenable-eplb: true\nenable-expert-parallel: true\n',
    ),
  ]);
});

describe('scheduling, caches and graphs', () => {
  itJudges('vllm', 'yaml', [
    error(
      'batch-limits-conflict',
      'no-enable-chunked-prefill: true\nmax-num-batched-tokens: 2048\nmax-model-len: 40960\n',
      'max-num-batched-tokens: 2048\nmax-model-len: 40960\n',
      /40960/,
    ),
    error('batch-limits-conflict', 'max-num-batched-tokens: 32\n', 'max-num-batched-tokens: 64\n'),
    error(
      'batch-limits-conflict',
      'long-prefill-token-threshold: 8192\nmax-model-len: 4096\n',
      'long-prefill-token-threshold: 4096\nmax-model-len: 4096\n',
    ),
    error(
      'graph-sizes-conflict',
      'max-cudagraph-capture-size: 512\ncudagraph-capture-sizes: [1, 2, 256]\n',
      'max-cudagraph-capture-size: 256\ncudagraph-capture-sizes: [1, 2, 256]\n',
    ),
    error(
      'compilation-config-invalid',
      'compilation-config: \'{"custom_ops": ["all", "none"]}\'\n',
      'compilation-config: \'{"custom_ops": ["all", "-rms_norm"]}\'\n',
    ),
    error(
      'compilation-config-invalid',
      'compilation-config: \'{"custom_ops": ["rms_norm"]}\'\n',
      'compilation-config: \'{"custom_ops": ["+rms_norm"]}\'\n',
    ),
    error(
      'compilation-config-invalid',
      'compilation-config: \'{"mode": "FAST"}\'\n',
      'compilation-config: \'{"mode": "vllm_compile"}\'\n',
    ),
    error(
      'cache-setting-conflict',
      'mamba-block-size: 1024\nno-enable-prefix-caching: true\n',
      'mamba-block-size: 1024\nenable-prefix-caching: true\n',
    ),
    error(
      'exclusive-keys',
      'attention-backend: FLASH_ATTN\nattention-config: \'{"backend": "FLASH_ATTN"}\'\n',
      'attention-config: \'{"backend": "FLASH_ATTN"}\'\n',
    ),
  ]);
});

describe('speculation', () => {
  const drafts = (json: string): string => `speculative-config: '${json}'\n`;
  itJudges('vllm', 'yaml', [
    error(
      'speculation-invalid',
      drafts('{"method": "eagle3", "model": "m"}'),
      drafts('{"method": "eagle3", "model": "m", "num_speculative_tokens": 3}'),
    ),
    error(
      'speculation-invalid',
      drafts('{"method": "mtp", "num_speculative_tokens": 0}'),
      drafts('{"method": "mtp", "num_speculative_tokens": 1}'),
    ),
    error(
      'speculation-invalid',
      drafts('{"model": "m", "num_speculative_tokens": 3, "draft_tensor_parallel_size": 4}'),
      drafts('{"model": "m", "num_speculative_tokens": 3, "draft_tensor_parallel_size": 8}'),
      /1 or the target's 8/,
    ),
    error(
      'speculation-invalid',
      drafts('{"model": "m", "num_speculative_tokens": 3, "tensor_parallel_size": 8}'),
      drafts('{"model": "m", "num_speculative_tokens": 3}'),
    ),
    error(
      'speculation-invalid',
      drafts('{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 5, "prompt_lookup_max": 2}'),
      drafts('{"method": "ngram", "num_speculative_tokens": 3}'),
    ),
    error(
      'speculation-invalid',
      drafts('{"method": "ngram", "num_speculative_tokens": 3}') + 'async-scheduling: true\n',
      drafts('{"method": "mtp", "num_speculative_tokens": 3}') + 'async-scheduling: true\n',
    ),
  ]);
});

describe('quantization and files', () => {
  itJudges('vllm', 'yaml', [
    error(
      'quantization-deprecated',
      'quantization: fp_quant\n',
      'quantization: fp_quant\nallow-deprecated-quantization: true\n',
    ),
    error('quantization-dtype-conflict', 'quantization: gptq\ndtype: bfloat16\n', 'quantization: gptq\ndtype: half\n'),
    error('quantization-dtype-conflict', 'quantization: fp8\ndtype: float32\n', 'quantization: fp8\ndtype: auto\n'),
    error('config-file-suffix', 'config: base.json\n', 'config: base.yaml\n'),
    error('misspelled-key', 'tp: 8\n', 'seed: 8\n', /tensor-parallel-size/),
    note(
      'switch-never-off',
      'enable_prefix_caching: false\n',
      'enable-prefix-caching: false\n',
      /enable-prefix-caching/,
    ),
    judged('size-unit', 'hint', 'max-model-len: 128k\n', 'max-model-len: 128K\n', /131072/),
    error('unknown-key', 'max-modl-len: 4096\n', 'max-model-len: 4096\n', /max-model-len/),
    judged('removed-key', 'warning', 'swap-space: 4\n', 'seed: 4\n'),
    error('wrong-type', 'max-num-batched-tokens: many\n', 'max-num-batched-tokens: 8k\n'),
  ]);

  it('says nothing of what an interpolation hides, a wrapper adds or a partial list leaves out', () => {
    const finds = (text: string): string[] => told(readAs('vllm', text).findings);
    expect(finds(`${BASE}decode-context-parallel-size: "\${DCP}"\n`)).toEqual([]);
    const recipe = (where: string): string =>
      `meta: { title: t }\nmodel:\n  model_id: org/m\n  min_vllm_version: 0.11.0\n  base_args: []\n${where}`;
    expect(finds(recipe('variants:\n  dcp: { extra_args: [--decode-context-parallel-size, "8"] }\n'))).toEqual([]);
    expect(
      finds(recipe('variants:\n  dcp: { extra_args: [--max-num-seqs, "8", --max-num-batched-tokens, "4"] }\n')),
    ).toEqual(['error batch-limits-conflict']);
  });
});

describe('the model of a command', () => {
  const evaluation = (options: string): readonly string[] =>
    told(readAs('vllm', `model_name: org/a\nserver_args: "${options}"\n`).findings);
  it('wins where it stands before the options', () => {
    expect(evaluation('--model org/b --max-num-seqs 8')).toEqual(['warning model-named-twice']);
    expect(evaluation('--max-num-seqs 8')).toEqual([]);
  });
});

describe('JSON arguments', () => {
  const finds = (json: string): string[] => told(readAs('vllm', `${BASE}speculative-config: '${json}'\n`).findings);
  it('have fields of their own', () => {
    expect(finds('{"method": "mtp", "num_speculative_token": 1, "num_speculative_tokens": 1}')).toEqual([
      'warning unknown-key',
    ]);
    expect(finds('{"method": "mtp", "num_speculative_tokens": "1"}')).toEqual([]);
    expect(finds('{"method": "mtp", "num_speculative_tokens": 1')).toEqual(['error wrong-type']);
    expect(told(readAs('vllm', `${BASE}speculative-config: "{'method': 'mtp'}"\n`).findings)).toEqual([
      'error wrong-type',
    ]);
    expect(finds('{"method": "mtp", "num_speculative_tokens": ${N}}')).toEqual([]);
    expect(finds('{"method": "mtp", "num_speculative_tokens": [1]}')).toEqual(['warning wrong-type']);
  });
});

describe('fixes', () => {
  const repaired = (dialect: string, text: string): string | undefined => {
    const { findings } = readAs(dialect, text);
    return fixed(
      text,
      findings.find(({ fixes }) => fixes !== undefined),
    );
  };
  it('put the one right answer in place of a value, in its quotes', () => {
    expect(repaired('vllm', 'all2all-backend: pplx\n')).toBe('all2all-backend: allgather_reducescatter\n');
    expect(repaired('vllm', 'max-num-batched-tokens: "32"\nmax-num-seqs: 64\n')).toBe(
      'max-num-batched-tokens: "64"\nmax-num-seqs: 64\n',
    );
    expect(repaired('tensorrt-llm', 'speculative_config: { decoding_type: "Eagle" }\n')).toBe(
      'speculative_config: { decoding_type: "Eagle3" }\n',
    );
    expect(repaired('tensorrt-llm', "moe_config: { backend: 'cutlass' }\n")).toBe(
      "moe_config: { backend: 'CUTLASS' }\n",
    );
  });
});

describe('switches of a command', () => {
  const evaluation = (options: string): readonly string[] =>
    told(readAs('vllm', `model_name: org/a\nserver_args: "--max-num-seqs 8 ${options}"\n`).findings);
  it('take no value', () => {
    expect(evaluation('--enforce-eager True')).toEqual(['warning wrong-type']);
    expect(evaluation('--no-enable-prefix-caching --enforce-eager')).toEqual([]);
  });
});

describe('engine arguments in JSON', () => {
  const engine =
    '{"model": "org/m", "tensor_parallel_size": 8, "gpu_memory_utilization": 0.9, "enforce_eager": false, "max_num_seqs": 64, "max_num_batched_tokens": 32}';
  it('are read as what the engine takes', () => {
    expect(dialectOf(engine, 'model.json', 'json')).toBe('vllm');
    const { plan, findings } = readAs('vllm', engine, 'json');
    expect(plan.layout.tensor?.value).toBe(8);
    expect(told(findings)).toEqual(['error batch-limits-conflict']);
  });
  it('are not seen in any JSON that has a word of theirs', () => {
    expect(
      dialectOf('{"model": "m", "max_model_len": 4096, "temperature": 0.2}', 'settings.json', 'json'),
    ).toBeUndefined();
    expect(dialectOf('{"name": "x", "port": 8000, "host": "h"}', 'server.json', 'json')).toBeUndefined();
  });
});
