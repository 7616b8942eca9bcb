import { describe, expect, it } from 'vitest';
import { fitFactor, linkShares } from '../../../server/src/engine/cost/calibrate';
import { readLog } from '../../../server/src/features/calibrate/logs';
import { measurementFaults, readMeasurements } from '../../../server/src/features/calibrate/read';
import { costOf } from '../../../server/src/features/cost';
import { estimateAnswer } from '../../../server/src/features/estimate';
import { servingCostOf } from '../../../server/src/features/serving-cost';
import { analyzeText } from '../features/support';

// Lines as each program writes them; the numbers are ours.
const MEGATRON = [5200, 2100, 2010, 1990, 2000, 2005, 1995]
  .map(
    (ms, at) =>
      ` [2025-01-01 00:00:0${at}] iteration        ${at + 1}/     100 | consumed samples:         ${64 * (at + 1)} | elapsed time per iteration (ms): ${ms}.0 | throughput per GPU (TFLOP/s/GPU): 401.2 | learning rate: 1.0E-05 | global batch size:    64 |`,
  )
  .concat(
    '[Rank 0] (after 2 iterations) memory (MB) | allocated: 20000.0 | max allocated: 40960.0 | reserved: 43000.0 | max reserved: 43000.0',
  )
  .join('\n');
const ESCAPE = String.fromCharCode(27);
const TITAN = [1200, 6900, 6938, 6950, 6940, 6930]
  .map(
    (tps, at) =>
      `${ESCAPE}[36m[rank0]:${ESCAPE}[0mstep: ${at + 1}  loss: 7.5  memory: 47.96GiB(60.6%)  tps: ${tps.toLocaleString('en')}  tflops: 401.2  mfu: 40.6%`,
  )
  .join('\n');
const VLLM = [4, 60, 64, 62]
  .map(
    (running, at) =>
      `INFO 01-01 00:00:0${at} Avg prompt throughput: 33.5 tokens/s, Avg generation throughput: ${running * 20}.0 tokens/s, Running: ${running} reqs, Waiting: 0 reqs, GPU KV cache usage: 30.6%`,
  )
  .join('\n');
const SGLANG = [64, 64]
  .map(
    (running) =>
      `[2025-01-01 TP0] Decode batch. #running-req: ${running}, #token: 12345, token usage: 0.06, cuda graph: True, gen throughput (token/s): 2250.31, #queue-req: 0`,
  )
  .join('\n');
const nccl = (hosts: readonly string[]): string =>
  [
    ...hosts.map((host, at) => `#  Rank  ${at} Group  0 Pid    100 on ${host} device  0 [0x1b] NVIDIA H100`),
    '#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong',
    '     8388608       2097152     float     sum      -1    120.1   69.85  122.23      0    119.8   70.02  122.54      0',
    '  1073741824     268435456     float     sum      -1   4930.2  217.79  381.13      0   4928.8  217.85  381.24      0',
    '# Avg bus bandwidth    : 251.9',
  ].join('\n');

describe('logs', () => {
  it('of Megatron-LM give the steady step and the peak', () => {
    expect(readLog(MEGATRON)).toEqual({ from: 'a Megatron-LM log', stepSeconds: 2, peakBytes: 40 * 2 ** 30 });
  });
  it('of torchtitan give tokens a second and memory, colours or not', () => {
    const found = readLog(TITAN);
    expect(found?.tokensPerSecondPerGpu).toBe(6939);
    expect(found?.peakBytes).toBeCloseTo(47.96 * 2 ** 30, -3);
  });
  it('of servers give the busiest batches, not the idle ones', () => {
    expect(readLog(VLLM)?.decode).toEqual({ sequences: 62, tokensPerSecond: 1240 });
    expect(readLog(SGLANG)?.decode).toEqual({ sequences: 64, tokensPerSecond: 2250.31 });
  });
  it('of nccl-tests give the bandwidth of large messages, inside a node or across nodes', () => {
    expect(readLog(nccl(['a', 'a']))).toEqual({ from: 'an nccl-tests report', inside: 381.13e9 });
    expect(readLog(nccl(['a', 'b']))).toEqual({ from: 'an nccl-tests report', outside: 381.13e9 });
  });
  it.each(['', 'hello', 'iteration 1 of 2', '{}', 'measured: 3', 'measured: { step_seconds: -1 }'])(
    '%j is none',
    (text) => {
      expect(readMeasurements(text)).toBeUndefined();
    },
  );
});

describe('a calibration file', () => {
  it('is small YAML or JSON, in the units of its keys', () => {
    const yaml =
      'measured:\n  step_ms: 2000\n  peak_memory_gib: 40\n  network_gb_s: 42\n  decode: { sequences: 64, tokens_per_second: 900 }\n';
    expect(readMeasurements(yaml)).toEqual({
      from: 'the calibration file',
      stepSeconds: 2,
      peakBytes: 40 * 2 ** 30,
      outside: 42e9,
      decode: { sequences: 64, tokensPerSecond: 900 },
    });
    expect(readMeasurements('{"measured": {"tokens_per_second_per_gpu": 1843}}')?.tokensPerSecondPerGpu).toBe(1843);
  });
});

describe('fitting', () => {
  it('finds the factor that gives the measured rate', () => {
    expect(fitFactor(130, (k) => 100 * k)).toBeCloseTo(1.3, 4);
  });
  it('stays within what kernels can be', () => {
    expect(fitFactor(1e9, (k) => 100 * k)).toBeCloseTo(2, 3);
    expect(fitFactor(1e-9, (k) => 100 * k)).toBeCloseTo(0.2, 3);
  });
  it.each([0, -1, Number.NaN, Infinity])('does nothing with %d', (measured) => {
    expect(fitFactor(measured, (k) => k)).toBeUndefined();
  });
  it('turns bandwidths into shares of the links', () => {
    const cluster = {
      gpu: 'x',
      memoryBytes: 1,
      gpus: 8,
      gpusPerNode: 8,
      nodes: 1,
      nvlinkBandwidth: 450e9,
      nicBandwidth: 50e9,
    };
    expect(linkShares(cluster, { inside: 360e9 })).toMatchObject({ insideShare: 0.8 });
    expect(linkShares(cluster, { outside: 40e9 })).toMatchObject({ outsideShare: 0.8 });
  });
});

const PLAN = `shardlens: 1
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }
parallelism: { tensor: 2 }
batch: { micro: 1, global: 64, sequence: 4096 }
`;

describe('a calibrated plan', () => {
  const files = { 'run.log': MEGATRON.replaceAll('0.0 |', '0.0 |') };

  it('predicts what was measured, and says what it predicted before', () => {
    const analysis = analyzeText(`# shardlens: calibration=run.log\n${PLAN}`, { files });
    const calibrated = analysis.calibrated?.();
    const rate = (64 * 4096) / 2 / 8;
    const [speed, memory] = calibrated?.comparisons ?? [];
    expect(speed?.measured).toBeCloseTo(rate, 6);
    expect((speed?.calibrated ?? 0) / rate).toBeCloseTo(1, 3);
    expect(speed?.predicted).toBe(costOf(analyzeText(PLAN))?.tokensPerSecondPerGpu);
    expect(memory).toMatchObject({ what: 'peakBytes', measured: 40 * 2 ** 30 });
    expect((costOf(analysis)?.tokensPerSecondPerGpu ?? 0) / rate).toBeCloseTo(1, 3);
    const answer = estimateAnswer(analysis);
    expect('calibration' in answer ? answer.calibration?.factor : undefined).toBe(calibrated?.factor);
  });

  it('asks for the file it names, and does without it while it is not there', () => {
    const analysis = analyzeText(`# shardlens: calibration=run.log\n${PLAN}`);
    expect(analysis.calibrated?.()).toBeUndefined();
    expect(costOf(analysis)).toEqual(costOf(analyzeText(PLAN)));
  });

  it('tunes a server by its log', () => {
    const serve = `# shardlens: gpu=H100 calibration=serve.log\nmodel-path: meta-llama/Llama-3.1-70B\ntp-size: 8\nmem-fraction-static: 0.85\nattention-backend: flashinfer\n`;
    const tuned = analyzeText(serve, { name: 'serve.yaml', files: { 'serve.log': SGLANG } });
    const calibrated = tuned.calibrated?.();
    expect((calibrated?.comparisons[0]?.calibrated ?? 0) / 2250.31).toBeCloseTo(1, 2);
    const plain = servingCostOf(analyzeText(serve.replace(' calibration=serve.log', ''), { name: 'serve.yaml' }));
    const [slower, faster] =
      (calibrated?.factor ?? 1) < 1 ? [servingCostOf(tuned), plain] : [plain, servingCostOf(tuned)];
    expect(slower?.batches[0]?.tpot).toBeGreaterThan(faster?.batches[0]?.tpot ?? Infinity);
  });
});

describe('measurements that are not understood', () => {
  it.each([
    ['measured:\n  step_seconds: -3\n', ['measured.step_seconds is no positive number']],
    ['measured: {step_sec: 3, step_ms: 4}\n', ['measured.step_sec is no key; there are step_seconds, step_ms']],
    ['{"measured": {"decode": {"sequences": 4, "tokens": 3}}}', ['measured.decode.tokens is no key']],
    ['measured: {decode: 5}', ['measured.decode is no section of sequences and tokens_per_second']],
    ['hello', ['neither a file with a section "measured" nor a log']],
    ['measured: {step_ms: 4, decode: {sequences: 64, tokens_per_second: 2250}}', []],
    [MEGATRON, []],
  ])('are named: %j', (text, words) => {
    const faults = measurementFaults(text);
    expect(faults).toHaveLength(words.length);
    words.forEach((word, at) => expect(faults[at]).toContain(word));
  });
});

describe('measurements that a comment names', () => {
  const TEXT = '# shardlens: model=deepseek-ai/DeepSeek-V3 gpu=H800 calibration=measured.yaml\nshardlens: 1\n';
  const found = (files: Readonly<Record<string, string>>): string[] =>
    analyzeText(TEXT, { files })
      .findings.filter(({ rule }) => rule === 'calibration-not-usable')
      .map(({ message }) => message);

  it('are a finding at their name where nothing can be made of them', () => {
    expect(found({ 'measured.yaml': 'measured: {step_ms: 4}' })).toEqual([]);
    expect(found({ 'measured.yaml': 'measured: {steps: 4}' })[0]).toMatch(
      /^Measurements in measured\.yaml: measured\.steps is no key/,
    );
    expect(found({})[0]).toContain('there is no such file');
  });
});
