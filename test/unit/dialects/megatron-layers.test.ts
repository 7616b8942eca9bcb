import { describe, expect, it } from 'vitest';
import { analyzeText } from '../features/support';

const BASE =
  'torchrun --nproc_per_node 8 --nnodes 2 pretrain_gpt.py --num-layers 32 --hidden-size 4096 --num-attention-heads 32 --seq-length 4096 --max-position-embeddings 4096 --micro-batch-size 1 --global-batch-size 128 --bf16 --use-distributed-optimizer';
const MOE = '--num-experts 8 --expert-model-parallel-size 8 --disable-bias-linear';

function told(rest: string): string[] {
  const { findings } = analyzeText(`${BASE} ${rest}\n`, { name: 'train.sh' });
  return findings.filter(({ severity }) => severity === 'error').map(({ rule, message }) => `${rule}: ${message}`);
}

describe('layers and experts of a Megatron command', () => {
  it.each([
    [
      `${MOE} --moe-layer-freq '([0]*3+[1]*30)'`,
      'layer-pattern-length: `--moe-layer-freq` names 33 layers where there are 32',
    ],
    [`${MOE} --moe-layer-freq '([0]*3+[1]*20)'`, 'names 23 layers where there are 32'],
    [
      `${MOE} --moe-router-topk 16`,
      'experts-per-token-too-many: `--moe-router-topk` 16 sends a token to more experts than the 8',
    ],
    [
      '--pipeline-model-parallel-size 4 --account-for-loss-in-pipeline-split',
      'layers-not-divisible: 32 layers with loss, counted as layers, are 33 and do not divide over 4 pipeline ranks; the nearest legal numbers of layers are 31 or 35.',
    ],
    [
      '--pipeline-model-parallel-size 4 --account-for-loss-in-pipeline-split --account-for-embedding-in-pipeline-split',
      'the nearest legal numbers of layers are 30 or 34.',
    ],
  ])('are told: %s', (rest, message) => {
    expect(told(rest).filter((text) => text.includes(message))).toHaveLength(1);
  });

  it.each([
    `${MOE} --moe-layer-freq '([0]*3+[1]*29)'`,
    `${MOE} --moe-layer-freq 2`,
    `${MOE} --moe-router-topk 8`,
    '--pipeline-model-parallel-size 2 --account-for-loss-in-pipeline-split --account-for-embedding-in-pipeline-split',
    '--pipeline-model-parallel-size 4',
  ])('are left alone: %s', (rest) => {
    expect(told(rest)).toEqual([]);
  });
});
