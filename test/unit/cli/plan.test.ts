import { afterAll, describe, expect, it } from 'vitest';
import { folderWith, json, shardlens } from './run';

interface Layout {
  readonly gpus: number;
  readonly tensor: number;
  readonly pipeline: number;
  readonly microBatch: number;
  readonly schedule: string;
}
interface Answer {
  readonly layout: Layout;
  readonly stepSeconds: number;
  readonly memoryBytes: number;
  readonly gpuHours: number;
  readonly money?: number;
  readonly onFront: boolean;
  readonly gain: { readonly time: number; readonly memory: number; readonly gpuHours: number };
  readonly reasons: readonly string[];
  readonly changes: readonly {
    readonly field: string;
    readonly label: string;
    readonly from: string;
    readonly to: string;
  }[];
  readonly edits?: readonly { readonly line: number; readonly newText: string }[];
}
interface Plan {
  readonly own: {
    readonly layout: Layout;
    readonly fits: boolean;
    readonly distanceToFront: number;
    readonly stepSeconds: number;
  };
  readonly answers: readonly Answer[];
  readonly nearest?: Answer;
  readonly capacityBytes: number;
  readonly counts: { readonly legal: number; readonly simulated: number };
  readonly notes: readonly string[];
}

const TRAIN = `shardlens: 1
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 2, gpus_per_node: 8 }
parallelism:
  tensor: 8   # one node
  pipeline: 2
schedule: 1f1b
batch: { micro: 1, global: 64, sequence: 4096 }
`;
const MEGATRON = `MODEL_ARGS:
  --num-layers: 32
  --hidden-size: 4096
  --ffn-hidden-size: 14336
  --num-attention-heads: 32
  --group-query-attention: true
  --num-query-groups: 8
  --swiglu: true
  --disable-bias-linear: true
  --normalization: RMSNorm
  --untie-embeddings-and-output-weights: true
  --vocab-size: 128256
  --bf16: true
  --seq-length: 4096
  --micro-batch-size: 1
  --global-batch-size: 64
  --tensor-model-parallel-size: 8
  --sequence-parallel: true
  --pipeline-model-parallel-size: 2
  --use-distributed-optimizer: true
`;

const folder = folderWith({
  'train.shardlens.yaml': TRAIN,
  'megatron.yaml': MEGATRON,
  'nameless.shardlens.yaml': TRAIN.replace('gpu: H100, ', ''),
  'serve.yaml': 'model-path: /models/mine\ntp-size: 8\nmem-fraction-static: 0.8\nattention-backend: flashinfer\n',
  'none.yaml': 'name: something else\n',
});
afterAll(() => {
  folder.dispose();
});
const plan = (...args: string[]): Promise<Plan> => json<Plan>(['plan', ...args], folder.path);

describe('shardlens plan', () => {
  it('finds faster layouts and writes each as a change of the file', async () => {
    const { own, answers, capacityBytes, counts } = await plan('train.shardlens.yaml');
    expect(own.fits).toBe(true);
    expect(counts.legal).toBeGreaterThan(counts.simulated);
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.length).toBeLessThanOrEqual(5);
    for (const { stepSeconds, memoryBytes, gain, edits, changes, reasons } of answers) {
      expect(stepSeconds).toBeLessThan(own.stepSeconds);
      expect(gain.time).toBeCloseTo(stepSeconds / own.stepSeconds - 1, 9);
      expect(memoryBytes).toBeLessThanOrEqual(capacityBytes);
      expect(edits?.length).toBeGreaterThan(0);
      expect(changes.length).toBeGreaterThan(0);
      expect(reasons.length).toBeGreaterThan(0);
    }
    expect(answers[0]?.changes.some(({ label }) => label === 'tensor')).toBe(true);
  });

  it("writes Megatron's own arguments", async () => {
    const { answers } = await plan('megatron.yaml', '--gpu', 'H100', '--gpus', '16');
    expect(answers.length).toBeGreaterThan(0);
    expect(answers[0]?.changes.some(({ label }) => label === '--tensor-model-parallel-size')).toBe(true);
    expect(answers.every(({ edits }) => edits !== undefined)).toBe(true);
  });

  it('orders by memory and by cost, and says what the cost is counted in', async () => {
    const memory = await plan('train.shardlens.yaml', '--objective', 'memory');
    const bytes = memory.answers.map(({ memoryBytes }) => memoryBytes);
    expect([...bytes].sort((a, b) => a - b)).toEqual(bytes);
    const cost = await plan('train.shardlens.yaml', '--objective', 'cost', '--worlds', '8,16');
    const hours = cost.answers.map(({ gpuHours }) => gpuHours);
    expect([...hours].sort((a, b) => a - b)).toEqual(hours);
    expect(cost.notes.join()).toMatch(/No price/);
    const priced = await plan('train.shardlens.yaml', '--objective', 'cost', '--price', '2');
    expect(priced.notes).toEqual([]);
    expect(priced.answers[0]?.money).toBeCloseTo(2 * (priced.answers[0]?.gpuHours ?? 0), 6);
  });

  it('names the nearest where nothing keeps to the limit, and ends with 1', async () => {
    const { code, out } = await shardlens(['plan', 'train.shardlens.yaml', '--memory', '2'], folder.path);
    expect(code).toBe(1);
    expect(out).toMatch(/Nothing keeps to the limits\. The nearest:/);
    const { nearest, answers } = JSON.parse(
      (await shardlens(['plan', 'train.shardlens.yaml', '--memory', '2', '--format', 'json'], folder.path)).out,
    ) as Plan;
    expect(answers).toEqual([]);
    expect(nearest?.memoryBytes).toBeGreaterThan(2 * 2 ** 30);
  });

  it.each([
    ['nameless.shardlens.yaml', /the GPU, such as .*--gpu/],
    ['serve.yaml', /the model/],
    ['none.yaml', /not recognised/],
  ])('says what %s lacks', async (file, reason) => {
    const { code, out, err } = await shardlens(['plan', file], folder.path);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(reason);
  });

  it.each([
    [['plan'], /name the file/],
    [['plan', 'train.shardlens.yaml', '--objective', 'beauty'], /--objective/],
    [['plan', 'train.shardlens.yaml', '--worlds', '8,x'], /--worlds/],
    [['plan', 'train.shardlens.yaml', '--memory', 'much'], /--memory/],
    [['plan', 'train.shardlens.yaml', '--gpu', 'H900'], /known are/],
  ])('refuses %j', async (args, reason) => {
    const { code, err } = await shardlens(args, folder.path);
    expect(code).toBe(2);
    expect(err).toMatch(reason);
  });

  it('splits a server better, and proves it by reading the file again', async () => {
    const served = folderWith({
      'serve.yaml': 'model-path: deepseek-ai/DeepSeek-V3\ntp-size: 8\nmem-fraction-static: 0.9\n',
    });
    try {
      const { code, out } = await shardlens(
        ['plan', 'serve.yaml', '--gpu', 'H200', '--format', 'json', '--prompt', '1024'],
        served.path,
      );
      expect(code).toBe(0);
      const { own, answers } = JSON.parse(out) as {
        own: { tokensPerSecondPerGpu: number };
        answers: { tokensPerSecondPerGpu: number; layout: { attentionData: number }; edits: { newText: string }[] }[];
      };
      expect(answers.length).toBeGreaterThan(0);
      for (const { tokensPerSecondPerGpu, edits } of answers) {
        expect(tokensPerSecondPerGpu).toBeGreaterThan(own.tokensPerSecondPerGpu);
        expect(edits.length).toBeGreaterThan(0);
      }
      expect(answers[0]?.layout.attentionData).toBeGreaterThan(1);
      expect(answers[0]?.edits.map(({ newText }) => newText).join('')).toMatch(/enable-dp-attention: true/);
      const impossible = await shardlens(['plan', 'serve.yaml', '--gpu', 'H200', '--tpot', '0.001'], served.path);
      expect(impossible.code).toBe(1);
      expect(impossible.out).toMatch(/Nothing keeps to the limits\. The nearest:/);
      const nameless = await shardlens(['plan', 'serve.yaml'], served.path);
      expect(nameless.err).toMatch(/--gpu/);
    } finally {
      served.dispose();
    }
  });

  it('shows people the changed lines', async () => {
    const { code, out } = await shardlens(['plan', 'train.shardlens.yaml', '--top', '1'], folder.path);
    expect(code).toBe(0);
    expect(out).toMatch(/^Now {2}16 GPUs · TP 8 · PP 2 \(1F1B\)/);
    expect(out).toMatch(/- {3}tensor: 8 {3}# one node\n/);
    expect(out).toMatch(/\+ {3}tensor: \d+ {3}# one node\n/);
  });
});
