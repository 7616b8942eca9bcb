import { describe, expect, it } from 'vitest';
import { megatronCoverage } from '../../../server/src/dialects/megatron/rules';
import { planCoverage } from '../../../server/src/plan/rules/coverage';
import { findingsOf, itJudges, ruleLines, type RuleCase } from './cases';

const BASE: Readonly<Record<string, string>> = {
  'num-layers': '8',
  'hidden-size': '1024',
  'num-attention-heads': '16',
  'seq-length': '4096',
  'max-position-embeddings': '4096',
  'micro-batch-size': '1',
  'global-batch-size': '64',
  'train-iters': '100',
  lr: '1e-4',
  bf16: 'true',
};

/** A model with experts, and one whose experts are spread over GPUs: `MOE` and `A2A` in the fixture. */
const MOE = 'num-experts: 8; moe-ffn-hidden-size: 512; disable-bias-linear: true';
const A2A = `${MOE}; expert-model-parallel-size: 8; moe-token-dispatcher-type: alltoall`;

/** Arguments that replace or join those of a small dense model; `name:` alone leaves one out. */
function args(changes: string, { head = '', env = '' } = {}): string {
  const table: Record<string, string> = { ...BASE };
  const full = changes.replaceAll('A2A', A2A).replaceAll('MOE', MOE);
  for (const change of full.split(';').filter((part) => part.trim().length > 0)) {
    const [name = '', ...value] = change.trim().split(':');
    table[name] = value.join(':').trim();
  }
  const lines = Object.entries(table)
    .filter(([, value]) => value.length > 0)
    .map(([name, value]) => `  --${name}: ${value}`);
  const variables = env.length > 0 ? `ENV_VARS:\n  ${env}\n` : '';
  return `${head}\n${variables}MODEL_ARGS:\n${lines.join('\n')}\n`;
}

const WORLD = { head: '# shardlens: gpus=8' };
const CASES: readonly RuleCase[] = [
  ...ruleLines('megatron').map(({ fires, silent, ...rest }) => ({ ...rest, fires: args(fires), silent: args(silent) })),
  {
    rule: 'evaluation-batch-not-divisible',
    severity: 'error',
    says: /× data parallelism 8 = 16; the nearest legal values are 16 or 32/,
    fires: args('eval-global-batch-size: 24; eval-micro-batch-size: 2', WORLD),
    silent: args('eval-global-batch-size: 32; eval-micro-batch-size: 2', WORLD),
  },
  {
    rule: 'layer-pattern-length',
    severity: 'error',
    says: /names 9 layers where there are 8/,
    fires: args("MOE; moe-layer-freq: '([0]*3+[1]*6)'"),
    silent: args("MOE; moe-layer-freq: '([0]*3+[1]*5)'"),
  },
  {
    rule: 'experts-per-token-too-many',
    severity: 'error',
    says: /16 sends a token to more experts than the 8/,
    fires: args('MOE; moe-router-topk: 16'),
    silent: args('MOE; moe-router-topk: 8'),
  },
  {
    rule: 'optimizer-instances-not-divisible',
    severity: 'error',
    fires: args('use-distributed-optimizer: true; num-distributed-optimizer-instances: 3', WORLD),
    silent: args('use-distributed-optimizer: true; num-distributed-optimizer-instances: 2', WORLD),
  },
  {
    rule: 'environment-conflict',
    severity: 'error',
    fires: args('use-megatron-fsdp: true; ckpt-format: fsdp_dtensor', { env: 'CUDA_DEVICE_MAX_CONNECTIONS: 1' }),
    silent: args('use-megatron-fsdp: true; ckpt-format: fsdp_dtensor', { env: 'CUDA_DEVICE_MAX_CONNECTIONS: 8' }),
  },
  {
    rule: 'environment-conflict',
    severity: 'information',
    fires: args('tensor-model-parallel-size: 2', { env: 'CUDA_DEVICE_MAX_CONNECTIONS: 8' }),
    silent: args('tensor-model-parallel-size: 2', { env: 'CUDA_DEVICE_MAX_CONNECTIONS: 1' }),
  },
  {
    rule: 'environment-conflict',
    severity: 'error',
    fires: args('cuda-graph-impl: transformer_engine', { env: 'PYTORCH_CUDA_ALLOC_CONF: expandable_segments:True' }),
    silent: args('cuda-graph-impl: transformer_engine', {
      env: 'PYTORCH_CUDA_ALLOC_CONF: expandable_segments:True\n  NCCL_GRAPH_REGISTER: 0',
    }),
  },
  {
    rule: 'environment-conflict',
    severity: 'warning',
    fires: args('fine-grained-activation-offloading: true; offload-modules: core_attn', {
      env: 'NVTE_CPU_OFFLOAD_V1: 0',
    }),
    silent: args('fine-grained-activation-offloading: true; offload-modules: core_attn', {
      env: 'NVTE_CPU_OFFLOAD_V1: 1',
    }),
  },
];

describe('Megatron-LM rules', () => {
  itJudges('megatron', 'yaml', CASES);

  it('offers the value where one is right', () => {
    const offered = [
      ['max-position-embeddings: 2048', 'Set --max-position-embeddings to 4096'],
      ['use-megatron-fsdp: true; ckpt-format: torch_dist', 'Set --ckpt-format to fsdp_dtensor'],
      ['A2A; moe-enable-deepep: true', 'Set --moe-token-dispatcher-type to flex'],
      ['cross-entropy-loss-fusion: true; cross-entropy-fusion-impl: te', 'Set --cross-entropy-fusion-impl to native'],
    ] as const;
    for (const [changes, title] of offered) {
      const text = args(changes);
      const fixes = findingsOf('megatron', text, 'yaml').flatMap((entry) => entry.fixes ?? []);
      const fix = fixes.find((entry) => entry.title === title);
      expect(fix?.edits).toHaveLength(1);
      const edit = fix?.edits[0];
      if (edit === undefined) continue;
      const after = text.slice(0, edit.at.span.start) + edit.newText + text.slice(edit.at.span.end);
      expect(
        findingsOf('megatron', after, 'yaml').filter(({ severity }) => severity === 'error' || severity === 'warning'),
      ).toEqual([]);
    }
  });

  it('has a case for every rule of its coverage table', () => {
    const tried = new Set(CASES.map(({ rule }) => rule));
    expect(megatronCoverage.map(({ rule }) => rule).filter((rule) => !tried.has(rule))).toEqual([]);
  });

  it('covers all gathered rules but the three that no file decides', () => {
    const covered = new Set([...megatronCoverage, ...planCoverage].flatMap(({ covers }) => covers));
    const own = [...covered].filter((id) => id.startsWith('MEG-'));
    // MEG-083 and MEG-084 judge calls of the library, MEG-143 the installed Transformer Engine.
    expect(own).toHaveLength(132);
  });
});
