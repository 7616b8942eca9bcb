import { wordFix } from '../common/findings';
import type { Condition } from '../common/conditions';
import { degreeOf as degree, switchOf, vllmDegrees } from './layout';
import { vllmSource } from './source';
import type { VllmArguments } from './values';

type Rule = Condition<VllmArguments>;

const PARALLEL = vllmSource('config/parallel.py', 'ParallelConfig._validate_parallel_config');
const DEGREES = ['tensor-parallel-size', 'prefill-context-parallel-size', 'data-parallel-size'];
const TP = 'tensor-parallel-size';
const DP = 'data-parallel-size';
const PCP = 'prefill-context-parallel-size';
const DCP = 'decode-context-parallel-size';

function on(args: VllmArguments, name: string): boolean {
  return switchOf(args, name) === true;
}

/** Context and data parallelism. */
const CONTEXT: readonly Rule[] = [
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR04'],
    keys: [DCP, TP, PCP],
    source: PARALLEL,
    says: (args) => {
      const [tensor, prefill, decode] = [degree(args, TP), degree(args, PCP), args.integer(DCP)];
      return prefill === 1 && tensor !== undefined && decode !== undefined && decode > 0 && tensor % decode !== 0
        ? `${DCP} ${decode} does not divide ${TP} ${tensor}: its ranks are those of the tensor-parallel group.`
        : undefined;
    },
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR06'],
    keys: [PCP, DP],
    source: PARALLEL,
    says: (args) =>
      (args.integer(PCP) ?? 1) > 1 && (args.integer(DP) ?? 1) > 1
        ? `${PCP} ${args.integer(PCP) ?? ''} cannot go with ${DP} ${args.integer(DP) ?? ''}; set one of them to 1.`
        : undefined,
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR07'],
    keys: [DCP, PCP, TP],
    source: PARALLEL,
    says: (args) => {
      const [tensor, prefill, decode] = [degree(args, TP), degree(args, PCP) ?? 1, args.integer(DCP)];
      if (prefill <= 1 || tensor === undefined || decode === undefined) return undefined;
      const legal = [1, prefill, tensor * prefill];
      return legal.includes(decode)
        ? undefined
        : `${DCP} ${decode} has to be ${[...new Set(legal)].join(', ')} while ${PCP} is ${prefill}.`;
    },
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR08'],
    keys: ['dcp-comm-backend', DCP],
    source: PARALLEL,
    says: (args) =>
      args.text('dcp-comm-backend') === 'a2a' && (degree(args, DCP) ?? 2) <= 1
        ? `\`dcp-comm-backend: a2a\` needs ${DCP} above 1.`
        : undefined,
  },
  {
    rule: 'data-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR09'],
    keys: ['data-parallel-size-local', DP],
    source: PARALLEL,
    says: (args) => {
      const [local, all] = [args.integer('data-parallel-size-local'), degree(args, DP)];
      return local !== undefined && all !== undefined && local > all
        ? `data-parallel-size-local ${local} is more than ${DP} ${all}; a node cannot hold more engines than there are.`
        : undefined;
    },
  },
  {
    rule: 'data-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR10'],
    keys: ['data-parallel-external-lb', DP],
    source: PARALLEL,
    says: (args) =>
      on(args, 'data-parallel-external-lb') && (degree(args, DP) ?? 2) <= 1
        ? `data-parallel-external-lb needs ${DP} above 1.`
        : undefined,
  },
  {
    rule: 'data-parallel-conflict',
    severity: 'error',
    covers: ['VL-PAR11'],
    keys: ['data-parallel-rank', DP],
    source: vllmSource('config/parallel.py', 'ParallelConfig.__post_init__'),
    says: (args) => {
      const [rank, all] = [args.integer('data-parallel-rank'), degree(args, DP)];
      return rank !== undefined && all !== undefined && (rank < 0 || rank >= all)
        ? `data-parallel-rank ${rank} is outside 0 to ${all - 1}.`
        : undefined;
    },
  },
  {
    rule: 'executor-conflict',
    severity: 'error',
    covers: ['VL-PAR13'],
    keys: ['nnodes', 'distributed-executor-backend'],
    source: vllmSource('config/parallel.py', 'ParallelConfig.__post_init__'),
    says: (args) => {
      const backend = args.text('distributed-executor-backend');
      return (args.integer('nnodes') ?? 1) > 1 && backend === 'ray'
        ? 'nnodes above 1 is for plain processes: `distributed-executor-backend: ray` finds its nodes itself; take mp, or leave nnodes out.'
        : undefined;
    },
  },
  {
    rule: 'all2all-replaced',
    severity: 'information',
    covers: ['VL-PAR14'],
    keys: ['all2all-backend'],
    source: PARALLEL,
    fixes: (args) => wordFix(args.entry('all2all-backend'), 'allgather_reducescatter'),
    says: (args) => {
      const backend = args.text('all2all-backend');
      return backend === 'pplx' || backend === 'naive'
        ? `\`all2all-backend: ${backend}\` is gone; vLLM takes allgather_reducescatter in its place.`
        : undefined;
    },
  },
];

/** Balancing of experts. */
const BALANCING: readonly Rule[] = [
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['VL-EPLB01'],
    keys: ['enable-eplb', 'enable-expert-parallel'],
    source: PARALLEL,
    says: (args) =>
      on(args, 'enable-eplb') && switchOf(args, 'enable-expert-parallel') === false
        ? 'enable-eplb moves whole experts between ranks, so it needs enable-expert-parallel.'
        : undefined,
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['VL-EPLB02'],
    keys: ['enable-eplb', ...DEGREES],
    source: PARALLEL,
    says: (args) =>
      on(args, 'enable-eplb') && switchOf(args, 'enable-expert-parallel') === true && (vllmDegrees(args).flat ?? 2) <= 1
        ? `enable-eplb needs more than one rank to move experts between; ${TP} × ${PCP} × ${DP} is 1.`
        : undefined,
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['VL-EPLB03'],
    keys: ['eplb-config.num_redundant_experts', 'enable-eplb'],
    source: PARALLEL,
    says: (args) => {
      const redundant = args.integer('eplb-config.num_redundant_experts');
      return redundant !== undefined && redundant !== 0 && switchOf(args, 'enable-eplb') === false
        ? `num_redundant_experts ${redundant} needs enable-eplb: nothing places the copies without it.`
        : undefined;
    },
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['VL-EPLB05'],
    keys: ['eplb-config.communicator', 'eplb-config.use_async', 'eplb-config.policy'],
    source: vllmSource('config/parallel.py', 'EPLBConfig'),
    says: (args) => {
      if (args.entry('eplb-config') === undefined || args.flag('eplb-config.use_async') === false) return undefined;
      const carrier = args.text('eplb-config.communicator');
      if (carrier === 'torch_nccl' || carrier === 'pynccl')
        return `\`communicator: ${carrier}\` cannot move experts beside serving, which \`use_async\` (on unless it is turned off) asks for; take nixl or torch_gloo, or \`use_async: false\`.`;
      const policy = args.text('eplb-config.policy');
      return policy !== undefined && policy !== 'default'
        ? `\`policy: ${policy}\` cannot move experts beside serving; take \`use_async: false\`.`
        : undefined;
    },
  },
  {
    rule: 'expert-placement-replaced',
    severity: 'information',
    covers: ['VL-EPLB07'],
    keys: ['expert-placement-strategy', 'enable-eplb', 'eplb-config.num_redundant_experts'],
    source: vllmSource('model_executor/layers/fused_moe/expert_map_manager.py', 'determine_expert_placement_strategy'),
    fixes: (args) => wordFix(args.entry('expert-placement-strategy'), 'linear'),
    says: (args) => {
      if (args.text('expert-placement-strategy') !== 'round_robin') return undefined;
      return on(args, 'enable-eplb') || (args.integer('eplb-config.num_redundant_experts') ?? 0) > 0
        ? '`expert-placement-strategy: round_robin` becomes linear: balancing places the experts itself.'
        : undefined;
    },
  },
  {
    rule: 'redundant-experts-many',
    severity: 'information',
    covers: ['VL-EPLB08'],
    keys: ['eplb-config.num_redundant_experts'],
    source: vllmSource('distributed/eplb/eplb_state.py', 'EplbState'),
    says: (args) => {
      const redundant = args.integer('eplb-config.num_redundant_experts') ?? 0;
      return redundant > 1023
        ? `${redundant} redundant experts: vLLM's tables hold 1,023 further copies of one expert at most.`
        : undefined;
    },
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['VL-EPLB09'],
    keys: [
      'enable-elastic-ep',
      'enable-eplb',
      'pipeline-parallel-size',
      'data-parallel-external-lb',
      'data-parallel-hybrid-lb',
    ],
    source: vllmSource('config/parallel.py', 'ParallelConfig'),
    says: (args) => {
      if (!on(args, 'enable-elastic-ep')) return undefined;
      if (switchOf(args, 'enable-eplb') === false)
        return 'enable-elastic-ep needs enable-eplb: experts have to move when ranks come and go.';
      if ((args.integer('pipeline-parallel-size') ?? 1) > 1)
        return 'enable-elastic-ep cannot go with pipeline-parallel-size above 1.';
      const balancer = ['data-parallel-external-lb', 'data-parallel-hybrid-lb'].find((name) => on(args, name));
      return balancer === undefined ? undefined : `enable-elastic-ep cannot go with ${balancer}.`;
    },
  },
];

export const parallelRules: readonly Rule[] = [...CONTEXT, ...BALANCING];
