import { describe, expect, it } from 'vitest';
import { suffixedInteger } from '../../../server/src/dialects/sglang/arguments';
import { defaultFraction, deviceDefaults } from '../../../server/src/dialects/sglang/defaults';
import { matchKey } from '../../../server/src/dialects/sglang/keys';
import type { Plan } from '../../../server/src/plan/plan';
import { dialectOf, fixed, readAs, textAt, told } from './reading';

function planOf(text: string): Plan {
  return readAs('sglang', text).plan;
}

const MIB = 2 ** 20;

describe('detection', () => {
  it('takes flat arguments, also misspelled ones', () => {
    expect(
      dialectOf('tp: 8\ntrust-remote-code: true\nenable-dp-attention: true\ndp-size: 4\nport: 8000\n', 'x.yaml'),
    ).toBe('sglang');
    expect(dialectOf('model_path: m\ntp_size: 8\nmem_fraction_static: 0.9\n', 'x.yaml')).toBe('sglang');
    expect(dialectOf('tp-size: 4\nnum-gpus: 4\ndit-cpu-offload: false\n', 'x.yaml')).toBe('sglang');
  });
  it.each(['model-path: a/b\ntp-size: 8\n', 'model-path: a/b\ntp: 8\nport: 30000\n', 'model-path: m\ntp-size: []\n'])(
    'takes a short file by its model and its degree: %s',
    (text) => {
      expect(dialectOf(text, 'config.yaml')).toBe('sglang');
    },
  );
  it.each(['tp-size: 8\n', 'model-path: x\ncontext-length: 4096\n', 'model-path: x\ntp-size: 8\nteam: y\n'])(
    'leaves a file alone that could be anything: %s',
    (text) => {
      expect(dialectOf(text, 'config.yaml')).toBeUndefined();
    },
  );
  it('leaves vLLM files, wrappers and other flat files alone', () => {
    expect(
      dialectOf('model: m\ntensor-parallel-size: 8\ngpu-memory-utilization: 0.9\nmax-model-len: 4096\n', 'x.yaml'),
    ).toBe('vllm');
    expect(
      dialectOf('backend:\n  sglang_config: { mem-fraction-static: 0.8 }\nresources: { gpus: 8 }\n', 'x.yaml'),
    ).toBe('srt-slurm');
    expect(dialectOf('host: 0.0.0.0\nport: 8080\nlog-level: info\npage-size: 20\n', 'config.yaml')).toBeUndefined();
  });
});

describe('keys', () => {
  it('match as argparse does: exact first, then prefixes of one option', () => {
    expect(matchKey('tp-size')).toMatchObject({ kind: 'known', flag: 'tp-size', abbreviated: false });
    expect(matchKey('tensor-parallel-size')).toMatchObject({ kind: 'known', flag: 'tp-size' });
    expect(matchKey('tp')).toMatchObject({ kind: 'known', flag: 'tp-size', abbreviated: true });
    expect(matchKey('dp')).toMatchObject({ kind: 'known', flag: 'dp-size' });
    expect(matchKey('ep')).toMatchObject({ kind: 'known', flag: 'ep-size', abbreviated: false });
    expect(matchKey('mem-fraction')).toMatchObject({ kind: 'known', flag: 'mem-fraction-static' });
    expect(matchKey('pp')).toMatchObject({
      kind: 'ambiguous',
      options: ['pp-size', 'pp-max-micro-batch-size', 'pp-async-batch-depth'],
    });
  });
  it('know what the config reader refuses, what is gone, and what needs hyphens', () => {
    expect(matchKey('cuda-graph-max-bs-decode').kind).toBe('unsupported');
    expect(matchKey('cuda-graph-max-bs').kind).toBe('known');
    expect(matchKey('lora-paths').kind).toBe('unsupported');
    expect(matchKey('enable-ep-moe')).toMatchObject({ kind: 'removed', successor: 'ep-size' });
    expect(matchKey('tp_size')).toMatchObject({ kind: 'underscored', flag: 'tp-size', spelled: 'tp-size' });
    expect(matchKey('frobnicate').kind).toBe('unknown');
    expect(matchKey('').kind).toBe('unknown');
  });
});

describe('spelling findings', () => {
  const text =
    'model-path: m\ntp_size: 8\npp: 2\nmem-fraction-statc: 0.9\nfrobnicate: 1\ndisable-cuda-graph: true\nenable-double-sparsity: true\n';
  const { findings } = readAs('sglang', text);

  it('are as severe as SGLang is sure to be', () => {
    expect(told(findings)).toEqual([
      'error misspelled-key',
      'error ambiguous-key',
      'error unknown-key',
      'warning unknown-key',
      'warning unsupported-key',
      'warning removed-key',
    ]);
    expect(findings.map((finding) => textAt(text, finding))).toEqual([
      'tp_size',
      'pp',
      'mem-fraction-statc',
      'frobnicate',
      'disable-cuda-graph',
      'enable-double-sparsity',
    ]);
  });
  it('carry fixes', () => {
    expect(fixed(text, findings[0])).toContain('\ntp-size: 8');
    expect(fixed(text, findings[1])).toContain('\npp-size: 2');
    expect(fixed(text, findings[2])).toContain('\nmem-fraction-static: 0.9');
  });
  it('judge values as text on a command line', () => {
    const values = (body: string): string[] => told(readAs('sglang', `enable-dp-attention: true\n${body}\n`).findings);
    expect(values('tp-size: "8"')).toEqual([]);
    expect(values('tp-size: 8.0')).toEqual(['error wrong-type']);
    expect(values('tp-size: eight')).toEqual(['error wrong-type']);
    expect(values('tp-size:')).toEqual(['error null-value']);
    expect(values('tp-size: [8]')).toEqual([]);
    expect(values('tp-size: [8, 8]')).toEqual(['error wrong-type']);
    expect(values('context-length: 128k')).toEqual([]);
    expect(values('mem-fraction-static: .9')).toEqual([]);
    expect(values('trust-remote-code: yes')).toEqual([]);
    expect(values('trust-remote-code: "true"')).toEqual(['error wrong-type']);
    expect(values('trust-remote-code: 1')).toEqual(['error wrong-type']);
    expect(values('kv-cache-dtype: fp8_e4m')).toEqual(['error wrong-value']);
    expect(values('kv-cache-dtype: something')).toEqual(['warning wrong-value']);
    expect(values('tp-size: ${TP}')).toEqual([]);
    expect(values('cuda-graph-max-bs: 128')).toEqual([]);
  });
  it('say that the top must be a mapping', () => {
    expect(told(readAs('sglang', '- tp: 8\n').findings)).toEqual(['error not-a-map']);
    expect(readAs('sglang', '').findings).toEqual([]);
  });
});

describe('effective values', () => {
  it('take tp-size for the world of a stage', () => {
    const plain = planOf('mem-fraction-static: 0.9\ntp: 8\npp-size: 2\ndp: 2\n');
    expect(plain.layout).toMatchObject({
      tensor: { value: 8, label: 'tp' },
      pipeline: { value: 2 },
      data: { value: 2 },
      attentionData: { value: 1 },
      worldSize: { value: 32, origin: 'derived' },
    });
    const attention = planOf('tp: 8\ndp: 4\nenable-dp-attention: true\n');
    expect(attention.layout).toMatchObject({
      attentionData: { value: 4, origin: 'file' },
      data: { value: 1 },
      worldSize: { value: 8 },
    });
  });
  it('let all-to-all backends take expert parallelism over', () => {
    const plan = planOf('tp-size: 16\nep-size: 4\nmoe-a2a-backend: deepep\n');
    expect(plan.layout.expert).toMatchObject({ value: 16, origin: 'derived', label: 'ep-size' });
    expect(plan.layout.expert?.note).toContain('4 was written');
    expect(planOf('tp-size: 16\nep-size: 4\nmem-fraction-static: 0.9\n').layout).toMatchObject({
      expert: { value: 4, origin: 'file' },
      expertTensor: { value: 4 },
    });
  });
  it('divide the prefill piece and note the share of requests', () => {
    const plan = planOf(
      'tp: 8\ndp: 8\nenable-dp-attention: true\nchunked-prefill-size: 8192\nmax-running-requests: 512\n',
    );
    expect(plan.serving.chunkedPrefill).toMatchObject({ value: 1024, origin: 'derived' });
    expect(plan.serving.maxConcurrency).toMatchObject({ value: 512, note: '64 on each of 8 data ranks' });
    expect(
      planOf('tp: 8\nchunked-prefill-size: -1\nmem-fraction-static: 0.8\n').serving.chunkedPrefill,
    ).toBeUndefined();
  });
  it('switch DP attention off for one data rank', () => {
    const plan = planOf('tp: 8\nenable-dp-attention: true\nenable-dp-lm-head: true\n');
    expect(plan.layout.attentionData).toMatchObject({ value: 1, origin: 'derived', label: 'enable-dp-attention' });
    expect(plan.serving.dataParallelLmHead).toMatchObject({ value: false, origin: 'derived' });
  });
  it('snap the page size to what the backend takes', () => {
    expect(planOf('attention-backend: flashmla\nmem-fraction-static: 0.8\n').serving.pageSize).toMatchObject({
      value: 64,
      origin: 'derived',
    });
    expect(planOf('attention-backend: trtllm_mla\npage-size: 32\n').serving.pageSize).toMatchObject({
      value: 32,
      origin: 'file',
    });
    expect(planOf('attention-backend: cutlass_mla\npage-size: 32\n').serving.pageSize).toMatchObject({
      value: 128,
      label: 'page-size',
    });
  });
  it('cap requests and draft tokens under speculation', () => {
    const plan = planOf(
      'speculative-algorithm: EAGLE\nspeculative-num-steps: 3\nspeculative-eagle-topk: 1\nspeculative-num-draft-tokens: 8\n',
    );
    expect(plan.serving.maxConcurrency).toMatchObject({ value: 48, origin: 'derived' });
    expect(plan.serving.speculativeTokens).toMatchObject({ value: 4, origin: 'derived' });
  });
  it('keep what an interpolation hides unknown', () => {
    const plan = planOf('tp-size: ${TP}\nenable-dp-attention: true\ndp-size: 8\n');
    expect(plan.layout.tensor).toBeUndefined();
    expect(plan.layout.worldSize).toBeUndefined();
    expect(plan.unresolved.map(({ path }) => path)).toEqual(['layout.tensor']);
  });
});

describe('experts and files', () => {
  it('tell loads from a finished placement', () => {
    const body = 'init-expert-location: ./e.json\nep-num-redundant-experts: 16\n';
    const loads = readAs('sglang', body, 'yaml', { './e.json': '{"logical_count": [[1, 2]]}' });
    expect(loads.plan.experts).toMatchObject({
      algorithm: { value: 'eplb' },
      redundant: { value: 16 },
      locationFile: { value: './e.json' },
      dispatch: { value: 'dynamic' },
    });
    expect(loads.references).toMatchObject([{ target: './e.json', kind: 'placement' }]);
    const placed = readAs('sglang', body, 'yaml', { './e.json': '{"physical_to_logical_map": [[0, 1]]}' });
    expect(placed.plan.experts.algorithm).toMatchObject({ value: 'custom', origin: 'derived' });
    expect(readAs('sglang', 'tp: 8\nmem-fraction-static: 0.8\n').plan.experts.algorithm).toMatchObject({
      value: 'trivial',
      origin: 'default',
    });
    expect(readAs('sglang', 'enable-eplb: true\neplb-algorithm: deepseek\n').plan.experts.algorithm).toMatchObject({
      value: 'eplb-global',
    });
  });
  it('take a folder with a config.json for the model', () => {
    expect(readAs('sglang', 'model-path: ./models/Qwen3\ntp: 2\n')).toMatchObject({
      references: [{ target: './models/Qwen3/config.json', kind: 'model-config' }],
      plan: { model: { name: { value: 'Qwen3' } } },
    });
    expect(readAs('sglang', 'model: deepseek-ai/DeepSeek-V3\n')).toMatchObject({
      references: [],
      plan: { model: { name: { value: 'deepseek-ai/DeepSeek-V3', label: 'model' } } },
    });
    expect(readAs('sglang', 'model: org/m\n', 'yaml', { 'org/m/config.json': '{}' }).references).toMatchObject([
      { target: 'org/m/config.json' },
    ]);
  });
  it('read the diffusion server without judging its arguments', () => {
    const { plan, findings } = readAs(
      'sglang',
      'tp-size: 4\nnum-gpus: 4\ndit-cpu-offload: false\nvae-cpu-offload: false\n',
    );
    expect(findings).toEqual([]);
    expect(plan.cluster.gpus?.value).toBe(4);
  });
});

describe('defaults that the device decides', () => {
  const h200 = 143_771 * MIB;
  const base = {
    memoryBytes: h200,
    tensor: 8,
    pipeline: 1,
    chunk: 8192,
    decodeBatch: 512,
    mla: true,
    deepep: false,
    decodeGraphs: true,
    prefillGraphs: true,
  };

  it('reserve as SGLang does: DeepSeek-V3 on eight H200 by data ranks', () => {
    // Worked out from server_args.py for 143,771 MiB; the same numbers as in the published example of DP attention.
    const fractions = [1, 2, 4, 8].map((attentionData) => defaultFraction({ ...base, attentionData }));
    expect(fractions).toEqual([0.886, 0.854, 0.822, 0.758]);
  });
  it('fall back where the reserve is larger than the device', () => {
    expect(defaultFraction({ ...base, memoryBytes: 4 * 2 ** 30, attentionData: 8 })).toBe(0.88);
  });
  it('follow the memory of the GPU', () => {
    expect(deviceDefaults(16 * 2 ** 30, 1)).toEqual({ chunk: 2048, decodeBatch: 8 });
    expect(deviceDefaults(24 * 2 ** 30, 4)).toEqual({ chunk: 2048, decodeBatch: 80 });
    expect(deviceDefaults(80 * 2 ** 30, 2)).toEqual({ chunk: 8192, decodeBatch: 256 });
    expect(deviceDefaults(180 * 2 ** 30, 8)).toEqual({ chunk: 16384, decodeBatch: 512 });
  });
  it('complete a plan once GPU and model are known', () => {
    const { plan, complete } = readAs('sglang', 'model-path: m\ntp: 8\ndp: 8\nenable-dp-attention: true\n');
    const full = complete?.(plan, { memoryBytes: h200, model: { attention: { value: 'mla', origin: 'file' } } });
    expect(full?.serving).toMatchObject({
      memoryFraction: { value: 0.758, origin: 'default' },
      chunkedPrefill: { value: 1024, origin: 'default' },
      cudaGraphMaxBatch: { value: 512 },
    });
    expect(plan.serving.memoryFraction).toBeUndefined();
  });
  it('never touch what the file states', () => {
    const { plan, complete } = readAs(
      'sglang',
      'tp: 8\nmem-fraction-static: 0.7\nchunked-prefill-size: 4096\ncuda-graph-max-bs: 64\n',
    );
    const full = complete?.(plan, { memoryBytes: h200, model: {} });
    expect(full?.serving).toMatchObject({
      memoryFraction: { value: 0.7 },
      chunkedPrefill: { value: 4096 },
      cudaGraphMaxBatch: { value: 64 },
    });
  });
  it('give sparse attention its page size and cache format', () => {
    const { plan, complete } = readAs('sglang', 'tp: 8\nmem-fraction-static: 0.8\n');
    const model = { indexTopk: { value: 2048, origin: 'file' as const } };
    expect(complete?.(plan, { computeCapability: 100, model }).serving).toMatchObject({
      pageSize: { value: 64 },
      kvDType: { value: 'F8_E4M3' },
      kvLayout: { value: 'fp8-ds-mla' },
    });
    expect(complete?.(plan, { computeCapability: 90, model }).serving).toMatchObject({
      kvDType: { value: 'BF16' },
      kvLayout: { value: 'plain' },
    });
  });
  it('quantize plain checkpoints while loading, and leave block-wise ones alone', () => {
    const { plan, complete } = readAs('sglang', 'tp: 8\nquantization: fp8\nmem-fraction-static: 0.8\n');
    expect(plan.quantization.method).toBeUndefined();
    expect(complete?.(plan, { model: {} }).quantization.method).toMatchObject({
      value: 'fp8-tensor',
      origin: 'derived',
    });
    const blocks = {
      ...plan,
      quantization: { ...plan.quantization, method: { value: 'fp8-block' as const, origin: 'companion' as const } },
    };
    expect(complete?.(blocks, { model: {} }).quantization.method?.value).toBe('fp8-block');
  });
});

describe('suffixedInteger', () => {
  it('tells decimal from binary suffixes', () => {
    expect([
      suffixedInteger('128k'),
      suffixedInteger('128K'),
      suffixedInteger('1.5m'),
      suffixedInteger('12'),
      suffixedInteger('x'),
    ]).toEqual([128_000, 131_072, 1_500_000, 12, undefined]);
  });
});
