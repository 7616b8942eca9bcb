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

/** One layout of one kind in peers that estimate a layout at a time, on two shared EPYC cores. */
const ONE_LAYOUT = [
  { name: 'SimuMax, one layout, measured earlier', value: 32 },
  { name: 'calculon, one layout, measured earlier', value: 2 },
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
  return [whole, ...ONE_LAYOUT.map((peer) => against({ name: 'one of them', value: rounded(each), unit: 'ms' }, peer))];
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
