import type { TrainingInput } from '../../server/src/engine/memory/input';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { analyze } from '../../server/src/features/analyze';
import { memoryView } from '../../server/src/features/views/memory';
import { deepseekPlan } from '../reference/support/deepseek';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { against, percentile, rounded, type Row } from './rows';

/**
 * Milliseconds a config of the same kind of estimate by others, measured once on two cores of the same kind, without imports:
 * SimuMax (first, middle and last stage of one config) and calculon (one stage).
 */
const PEERS = [
  { name: 'SimuMax, 3 stages', value: 60 },
  { name: 'calculon, 1 stage', value: 2 },
] as const;
const GOAL = 2;
const LEAST_RUNS = 20;
const LEAST_MS = 300;

function median(work: () => unknown): number {
  for (let warm = 0; warm < 5; warm += 1) work();
  const times: number[] = [];
  const begun = performance.now();
  while (times.length < LEAST_RUNS || performance.now() - begun < LEAST_MS) {
    const from = performance.now();
    work();
    times.push(performance.now() - from);
  }
  return rounded(percentile(times, 0.5));
}

function estimate(name: string, input: TrainingInput): Row[] {
  const value = median(() => estimateTraining(input));
  return PEERS.map((peer) =>
    against(
      { name: `memory of DeepSeek-V3 on 2,048 GPUs, ${name}, beside ${peer.name}`, value, unit: 'ms', goal: GOAL },
      peer,
    ),
  );
}

/** The panel's whole answer for the sample plan: every rank class, assumptions weighed, changes tried and timed. */
function panel(): Row {
  const file = path.resolve('samples/deepseek-v3-2048xH800.shardlens.yaml');
  const text = readFileSync(file, 'utf8');
  const analysis = analyze({
    uri: 'file:///plan.shardlens.yaml',
    version: 1,
    text,
    settings: { rules: {} },
    files: () => null,
  });
  return {
    name: 'answer of the memory panel for it, with every change tried',
    value: median(() => memoryView(analysis)),
    unit: 'ms',
  };
}

/** Every rank class of the largest plan, beside what others take for a few stages of one. */
export function run(): Promise<Row[]> {
  return Promise.resolve([
    ...estimate('DualPipe, 8 classes', deepseekPlan()),
    ...estimate('1F1B, 16 classes', deepseekPlan({ pipeline: { kind: '1f1b' } })),
    panel(),
  ]);
}
