import type { Finding, SourceReference } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { coverageOf, checkConditions, type Condition, type Coverage } from '../common/conditions';
import { childOf, integerOf, placeOf, textOf } from '../common/nodes';
import { treeValues } from '../common/values';
import { engineOf, rolesOf, type Role } from './roles';

function srt(file: string, name: string): SourceReference {
  return { framework: 'srt-slurm', repository: 'NVIDIA/srt-slurm', file: `src/srtctl/${file}`, function: name };
}

const SCHEMA = srt('core/schema.py', 'SrtConfig.__post_init__');
const LAYOUT = ['resources.prefill_nodes', 'resources.decode_nodes'];

/** What srt-slurm refuses when it loads a recipe. */
const CONDITIONS: readonly Condition[] = [
  {
    rule: 'heterogeneous-job-unsupported',
    severity: 'error',
    covers: ['SRT-05'],
    keys: ['resources.het_jobs', 'backend.type'],
    source: SCHEMA,
    says: (values) => {
      const type = values.text('backend.type');
      return values.flag('resources.het_jobs') === true && type !== undefined && type !== 'sglang'
        ? `\`het_jobs: true\` works with SGLang alone, not with \`${type}\`.`
        : undefined;
    },
  },
  {
    rule: 'heterogeneous-job-unsupported',
    severity: 'error',
    covers: ['SRT-05'],
    keys: ['resources.het_jobs', ...LAYOUT],
    source: SCHEMA,
    says: (values) =>
      values.flag('resources.het_jobs') === true && LAYOUT.every((key) => values.entry(key) === undefined)
        ? '`het_jobs: true` needs prefill and decode apart: set prefill_nodes and decode_nodes.'
        : undefined,
  },
  ...(
    [
      ['trtllm_serve', 'trtllm'],
      ['vllm', 'vllm'],
    ] as const
  ).map(([frontend, backend]): Condition => ({
    rule: 'frontend-backend-mismatch',
    severity: 'error',
    covers: ['SRT-05'],
    keys: ['frontend.type', 'backend.type'],
    source: SCHEMA,
    says: (values) => {
      const type = values.text('backend.type');
      return values.text('frontend.type') === frontend && type !== undefined && type !== backend
        ? `The frontend \`${frontend}\` needs \`backend.type: ${backend}\`, not \`${type}\`.`
        : undefined;
    },
  })),
];

/** A mapping is handed on as Python prints it, with single quotes, which no engine reads as JSON. */
function printedMapping(engine: string, entry: Entry): Finding {
  return {
    rule: 'mapping-printed-as-python',
    severity: 'error',
    at: placeOf(entry),
    source: srt(`backends/${engine}.py`, '_config_to_cli_args'),
    message: `\`${entry.key}\` is a mapping, which is handed to the server as Python prints it and not as JSON; write the JSON as a quoted string.`,
  };
}

/** Ranks of data parallelism on one process a node have to fill the worker's GPUs exactly. */
function dataRanks({ handed, gpus, nodes }: Role): Finding[] {
  const option = (name: string): Entry | undefined =>
    handed.options.entries.find(({ key }) => key.replaceAll('_', '-') === name);
  const degree = (name: string): number | undefined =>
    option(name) === undefined ? 1 : integerOf(option(name)?.value);
  const entry = option('data-parallel-size');
  const [data, tensor, pipeline] = ['data-parallel-size', 'tensor-parallel-size', 'pipeline-parallel-size'].map(degree);
  if (entry === undefined || gpus === undefined || nodes === undefined) return [];
  if (data === undefined || tensor === undefined || pipeline === undefined) return [];
  const have = gpus.value * nodes.value;
  const need = data * tensor * pipeline;
  if (need === have || need < 1) return [];
  const near = Math.floor(have / (tensor * pipeline));
  return [
    {
      rule: 'world-product-mismatch',
      severity: 'error',
      at: placeOf(entry),
      source: srt('backends/vllm.py', '_dp_per_node_endpoints_to_processes'),
      message: `data-parallel-size ${data} × TP ${tensor} × PP ${pipeline} = ${need} GPUs, but one worker has ${have}${near > 0 && near * tensor * pipeline === have ? `; the nearest legal value is ${near}` : ''}.`,
    },
  ];
}

/** What srt-slurm itself refuses or hands on wrongly in one job. */
export function srtFindings(root: MapNode): Finding[] {
  const engine = engineOf(root);
  const backend = childOf(root, 'backend');
  const direct = textOf(childOf(childOf(root, 'frontend'), 'type')) === 'vllm';
  const perNode = textOf(childOf(backend, 'dp_launch_mode')) !== 'per_gpu' && !direct;
  const roles = rolesOf(root);
  const mappings =
    engine === 'sglang' || engine === 'vllm'
      ? roles.flatMap(({ handed }) =>
          handed.options.entries
            .filter(({ value }) => value.kind === 'map')
            .map((entry) => printedMapping(engine, entry)),
        )
      : [];
  return [
    ...checkConditions(CONDITIONS, treeValues(root)),
    ...mappings,
    ...(engine === 'vllm' && perNode ? roles.flatMap(dataRanks) : []),
  ];
}

/** Keys in snake case are read as what they become, which is what the gathered note about them says. */
export const srtSlurmCoverage: readonly Coverage[] = [
  ...coverageOf(CONDITIONS),
  { rule: 'mapping-printed-as-python', covers: ['SRT-03', 'SRT-04'] },
  { rule: 'world-product-mismatch', covers: ['SRT-01', 'SRT-02'] },
];
