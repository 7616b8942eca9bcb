import { machineOf } from '../../server/src/engine/cost/rates';
import { DEFAULT_LOAD } from '../../server/src/engine/cost/serving-cost';
import { trainingSpace } from '../../server/src/engine/search/space';
import { searchServing } from '../../server/src/engine/search/serving-search';
import { finish, searchTraining } from '../../server/src/engine/search/training-search';
import { servingInputOf, trainingInputOf } from '../../server/src/features/estimates';
import { sample } from '../lsp/samples';
import { analyzeText } from '../unit/features/support';
import { against, percentile, rounded, type Row } from './rows';

const SERVE = '# shardlens: gpu=H200\nmodel-path: deepseek-ai/DeepSeek-V3\ntp-size: 8\nmem-fraction-static: 0.9\n';

function timed(rounds: number, work: () => void): number {
  work();
  const times = Array.from({ length: rounds }, () => {
    const from = performance.now();
    work();
    return performance.now() - from;
  });
  return percentile(times, 0.5);
}

/**
 * Peers on two shared cores: one estimate, and a search of their own. SimuMax 4dcaae5, examples/search/llm_search.py with DeepSeek-V3 (169
 * estimates); calculon caa4b11, llm-optimal-execution of GPT-3 175B on 512 A100, stopped unfinished.
 */
const ONE_LAYOUT = [
  { name: 'SimuMax, one estimate, measured earlier', value: 130 },
  { name: 'calculon, one estimate, measured earlier', value: 2.8 },
];
const WHOLE_SEARCH = [
  { name: 'SimuMax, TP1 and EP 8 to 64 alone, measured earlier', value: 22_000 },
  { name: 'calculon, GPT-3 175B on 512 GPUs, unfinished, measured earlier', value: 400_000 },
];

function trainingSearch(): Row[] {
  const { resolved } = analyzeText(sample('deepseek-v3-2048xH800.shardlens.yaml'));
  const input = resolved === undefined ? undefined : trainingInputOf(resolved);
  if (input?.cluster === undefined) throw new Error('the sample is not known');
  const machine = machineOf(input.cluster);
  if ('missing' in machine) throw new Error(machine.missing);
  const space = trainingSpace(input);
  const { counts } = finish(searchTraining(input, machine, space));
  const ms = timed(5, () => {
    finish(searchTraining(input, machine, space));
  });
  const each = ms / counts.legal;
  const whole = {
    name: `DeepSeek-V3 on 2,048 H800, all ${counts.legal} legal layouts`,
    value: rounded(ms),
    unit: 'ms',
    goal: 3000,
  };
  return [
    ...WHOLE_SEARCH.map((peer) => against(whole, peer)),
    ...ONE_LAYOUT.map((peer) => against({ name: 'one of them', value: rounded(each), unit: 'ms' }, peer)),
  ];
}

function servingSearch(): Row {
  const { resolved } = analyzeText(SERVE, { name: 'serve.yaml' });
  const input = resolved === undefined ? undefined : servingInputOf(resolved);
  if (input === undefined) throw new Error('the config is not known');
  const ms = timed(20, () => {
    finish(searchServing(input, DEFAULT_LOAD));
  });
  return { name: 'a server on 8 GPUs, all legal splits', value: rounded(ms), unit: 'ms', goal: 100 };
}

/** How long the search for better layouts takes. */
export function run(): Promise<Row[]> {
  return Promise.resolve([...trainingSearch(), servingSearch()]);
}
