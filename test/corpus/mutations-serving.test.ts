import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { analyze } from '../../server/src/features/analyze';
import { describeShared } from '../shared';

/** One line that spoils a valid file, and the rules that may speak of it: the first has to. */
interface Mutation {
  readonly line: string;
  readonly rules: readonly string[];
  /** Keys that the file must not have already, in any spelling. */
  readonly keys: readonly string[];
}

const VLLM: readonly Mutation[] = [
  { line: 'max-num-sequences-total: 3', rules: ['unknown-key'], keys: [] },
  { line: 'pp: 2', rules: ['misspelled-key'], keys: ['pipeline-parallel-size'] },
  { line: 'no-enable-chunked-prefil: true', rules: ['unknown-key'], keys: ['enable-chunked-prefill'] },
  { line: 'enable_log_requests: false', rules: ['switch-never-off'], keys: ['enable-log-requests'] },
  {
    line: 'long-prefill-token-threshold: 99999999',
    rules: ['batch-limits-conflict'],
    keys: ['long-prefill-token-threshold'],
  },
  { line: 'dcp-comm-backend: a2a', rules: ['context-parallel-conflict'], keys: ['decode-context-parallel-size'] },
  { line: 'data-parallel-external-lb: true', rules: ['data-parallel-conflict'], keys: ['data-parallel-size'] },
  { line: 'all2all-backend: pplx', rules: ['all2all-replaced'], keys: ['all2all-backend'] },
  { line: 'seed: many', rules: ['wrong-type'], keys: ['seed'] },
];

const TENSORRT: readonly Mutation[] = [
  { line: 'max_batchsize: 8', rules: ['unknown-key'], keys: [] },
  { line: 'sampler_force_async_worker: [1]', rules: ['wrong-type'], keys: ['sampler_force_async_worker'] },
  { line: 'use_cuda_graph: true', rules: ['removed-key'], keys: ['use_cuda_graph', 'cuda_graph_config'] },
  { line: 'allreduce_strategy: nccl', rules: ['wrong-value'], keys: ['allreduce_strategy'] },
  { line: 'pp_partition: [1, 2, 3, 4, 5, 6, 7, 8, 9]', rules: ['stage-layers-mismatch'], keys: ['pp_partition'] },
  {
    line: 'speculative_config: { decoding_type: Eagle, max_draft_len: 3 }',
    rules: ['speculation-replaced'],
    keys: ['speculative_config', 'num_nextn_predict_layers'],
  },
];

function told(name: string, text: string): string[] {
  const { findings, detection } = analyze({
    uri: `file:///corpus/${name}`,
    version: 1,
    text,
    settings: { rules: {} },
    files: () => null,
  });
  return [detection?.dialect ?? 'none', ...findings.map(({ rule, severity }) => `${severity} ${rule}`)];
}

function holds(text: string, key: string): boolean {
  return new RegExp(`^["']?(?:no-)?${key.replaceAll(/[-_]/g, '[-_]')}["']?\\s*:`, 'm').test(text);
}

/** Rules that a mutated file brings beyond those of the file as it is. */
function added(before: readonly string[], after: readonly string[]): string[] {
  const rest = [...before];
  return after.filter((entry) => {
    const at = rest.indexOf(entry);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

describeShared('spoiled files of the corpus', ['corpus', 'inference'], (root) => {
  it.each([
    ['vllm', 'vllm-yaml', VLLM],
    ['tensorrt-llm', 'trtllm-yaml', TENSORRT],
  ] as const)('%s: each line brings its own finding and no other', (dialect, folder, mutations) => {
    let count = 0;
    const wrong: string[] = [];
    for (const name of readdirSync(join(root, folder)).filter((file) => /\.ya?ml$/.test(file))) {
      const text = readFileSync(join(root, folder, name), 'utf8').replace(/\n*$/, '\n');
      const before = told(name, text);
      if (before[0] !== dialect || /^llm_api_args:|^\s*(?:tp_size|---):?/m.test(text)) continue;
      for (const { line, rules, keys } of mutations) {
        if (keys.some((key) => holds(text, key)) || holds(text, line.split(':')[0] ?? '')) continue;
        // The longest length is the file's own or the model's, which is not at hand here.
        if (line.startsWith('long-prefill') && !holds(text, 'max-model-len')) continue;
        if (line.startsWith('pp_partition') && !holds(text, 'tensor_parallel_size')) continue;
        const more = added(before, told(name, `${text}${line}\n`));
        const bad = more.filter((entry) => !rules.includes(entry.split(' ')[1] ?? ''));
        if (!more.some((entry) => entry.endsWith(` ${rules[0] ?? ''}`)) || bad.length > 0)
          wrong.push(`${name}: ${line} -> ${more.join(', ')}`);
        count += 1;
      }
    }
    console.log(`${dialect}: ${count} spoiled files`);
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(50);
  });
});
