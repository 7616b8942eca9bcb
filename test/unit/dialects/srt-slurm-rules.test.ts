import { itJudges, type RuleCase } from './cases';

/** A recipe for vLLM with the given lines put in the place of its own. */
function recipe(change: (text: string) => string): string {
  return change(`model: { path: deepseek-r1, precision: fp8 }
resources: { gpu_type: h100, gpus_per_node: 8, prefill_nodes: 2, prefill_workers: 1, decode_nodes: 2, decode_workers: 1 }
frontend: { type: dynamo }
backend:
  type: vllm
  vllm_config:
    prefill:
      tensor-parallel-size: 1
      data-parallel-size: 16
    decode:
      tensor-parallel-size: 1
      data-parallel-size: 16
`);
}

const replaced = (from: string, to: string): string => recipe((text) => text.replace(from, to));
const FINE = recipe((text) => text);

const CASES: readonly RuleCase[] = [
  {
    rule: 'world-product-mismatch',
    severity: 'error',
    fires: replaced('data-parallel-size: 16', 'data-parallel-size: 8'),
    silent: FINE,
    says: /= 8 GPUs, but one worker has 16; the nearest legal value is 16/,
  },
  {
    rule: 'mapping-printed-as-python',
    severity: 'error',
    fires: replaced(
      'data-parallel-size: 16',
      'data-parallel-size: 16\n      compilation-config: { cudagraph_mode: FULL }',
    ),
    silent: replaced(
      'data-parallel-size: 16',
      `data-parallel-size: 16\n      compilation-config: '{"cudagraph_mode": "FULL"}'`,
    ),
    says: /as Python prints it/,
  },
  {
    rule: 'heterogeneous-job-unsupported',
    severity: 'error',
    fires: replaced('gpus_per_node: 8', 'gpus_per_node: 8, het_jobs: true'),
    silent: replaced('gpus_per_node: 8', 'gpus_per_node: 8, het_jobs: false'),
  },
  {
    rule: 'frontend-backend-mismatch',
    severity: 'error',
    fires: replaced('frontend: { type: dynamo }', 'frontend: { type: trtllm_serve }'),
    silent: FINE,
  },
];

itJudges('srt-slurm', 'yaml', CASES);
