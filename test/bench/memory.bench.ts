import { bench, describe } from 'vitest';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { deepseekPlan } from '../reference/support/deepseek';

describe('memory of every rank class of DeepSeek-V3 on 2,048 GPUs', () => {
  const dualpipe = deepseekPlan();
  const plain = deepseekPlan({ pipeline: { kind: '1f1b' } });
  bench('DualPipe, 8 classes', () => {
    estimateTraining(dualpipe);
  });
  bench('1F1B, 16 classes', () => {
    estimateTraining(plain);
  });
});
