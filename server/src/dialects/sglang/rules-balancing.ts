import { advice, divisors, nearest } from '../../plan/rules/rule-context';
import type { SglangRule } from './facts';

const BALANCE = ['server_args.py', 'ServerArgs._handle_eplb_and_dispatch'] as const;
const CONTEXT = ['server_args.py', 'ServerArgs._handle_context_parallelism'] as const;
const A2A = 'moe-a2a-backend';

const GRID: readonly SglangRule[] = [
  {
    rule: 'expert-grid-conflict',
    severity: 'error',
    covers: ['SG-PAR12', 'SG-PAR13', 'SG-PAR14'],
    keys: ['moe-dp-size', 'tp-size', 'ep-size', 'pp-size'],
    source: CONTEXT,
    says: ({ args, tensor, expert, pipeline }) => {
      const copies = args.integer('moe-dp-size') ?? 1;
      if (copies <= 1 || tensor === undefined) return undefined;
      if (tensor % copies !== 0)
        return `tp-size ${tensor} does not divide by moe-dp-size ${copies}${advice(nearest(copies, divisors(tensor)))}.`;
      if (expert !== undefined && (expert > 1 ? expert * copies !== tensor : expert * copies > tensor))
        return `ep-size ${expert} × moe-dp-size ${copies} = ${expert * copies} has to be tp-size ${tensor}.`;
      return (pipeline ?? 1) === 1 ? undefined : `moe-dp-size above 1 needs pp-size 1, not ${pipeline ?? ''}.`;
    },
  },
  {
    rule: 'tensor-beyond-experts',
    severity: 'error',
    covers: ['SG-MOE01'],
    keys: ['tp-size', 'model-path'],
    source: ['models/deepseek_v2.py', 'DeepseekV2MoE.__init__'],
    says: ({ tensor, model }) =>
      tensor !== undefined && model?.experts !== undefined && model.experts > 0 && tensor > model.experts
        ? `tp-size ${tensor} is above the ${model.experts} experts of ${model.name}; SGLang refuses it.`
        : undefined,
  },
];

const BALANCING: readonly SglangRule[] = [
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['SG-EPLB01'],
    keys: ['enable-eplb', 'ep-size', A2A],
    source: BALANCE,
    says: ({ args, expert, word }) =>
      args.flag('enable-eplb') &&
      expert === 1 &&
      !args.flag('enable-deepep-moe') &&
      word('elastic-ep-join-mode', '') !== 'scale'
        ? 'enable-eplb moves experts between ranks, so it needs ep-size above 1.'
        : undefined,
  },
  {
    rule: 'expert-balancing-conflict',
    // Releases before the check ran so: an error only where the release were known.
    severity: 'warning',
    covers: ['SG-EPLB02'],
    keys: ['ep-dispatch-algorithm', A2A],
    source: BALANCE,
    says: ({ word }) => {
      const algorithm = word('ep-dispatch-algorithm', '');
      return ['static', 'lp'].includes(algorithm) && word(A2A, 'none') === 'none'
        ? `ep-dispatch-algorithm ${algorithm} picks another copy on every rank, which newer releases refuse without ${A2A}; without one take dynamic.`
        : undefined;
    },
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['SG-EPLB05'],
    keys: ['ep-num-redundant-experts'],
    source: ['eplb/eplb_algorithms/deepseek.py', 'replicate_experts'],
    says: ({ args }) => {
      const redundant = args.integer('ep-num-redundant-experts');
      return redundant !== undefined && redundant < 0
        ? `ep-num-redundant-experts ${redundant} is negative.`
        : undefined;
    },
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'error',
    covers: ['SG-EPLB06'],
    keys: ['init-expert-location', 'ep-num-redundant-experts'],
    source: ['eplb/expert_location.py', 'ExpertLocationMetadata.init_by_mapping'],
    says: ({ args, slots, model }) => {
      const redundant = args.integer('ep-num-redundant-experts') ?? 0;
      const experts = model?.experts ?? 0;
      return slots === undefined || experts < 1 || slots === experts + redundant
        ? undefined
        : `The placement has ${slots} slots a layer; ${experts} experts and ep-num-redundant-experts ${redundant} make ${experts + redundant}.`;
    },
  },
  {
    rule: 'expert-balancing-conflict',
    severity: 'warning',
    covers: ['SG-EPLB04'],
    keys: ['eplb-algorithm', 'enable-eplb', 'nnodes', 'ep-size'],
    source: ['eplb/eplb_algorithms/deepseek.py', 'rebalance_experts_hierarchical'],
    says: ({ args, word, model, expert, degrees }) => {
      const groups = model?.expertGroups;
      const nodes = degrees.nodes ?? 1;
      const hierarchical = word('eplb-algorithm', 'auto').endsWith('hierarchical');
      if (!args.flag('enable-eplb') || !hierarchical || groups === undefined || expert === undefined || nodes < 1)
        return undefined;
      const fault =
        groups % nodes !== 0
          ? `${groups} expert groups over ${nodes} nodes`
          : expert % nodes !== 0
            ? `ep-size ${expert} over ${nodes} nodes`
            : undefined;
      return fault === undefined
        ? undefined
        : `eplb-algorithm ${word('eplb-algorithm', '')} stops at its first rebalance, after ${args.integer('eplb-rebalance-num-iterations') ?? 1000} steps: ${fault} do not divide.`;
    },
  },
  {
    rule: 'expert-balancing-replaced',
    severity: 'information',
    covers: ['SG-EPLB03'],
    keys: ['enable-eplb', 'init-expert-location', 'ep-dispatch-algorithm', A2A],
    source: BALANCE,
    says: ({ args, word, has }) => {
      const placed = args.flag('enable-eplb') || word('init-expert-location', 'trivial') !== 'trivial';
      return placed && !has('ep-dispatch-algorithm')
        ? `ep-dispatch-algorithm becomes ${word(A2A, 'none') === 'none' ? 'dynamic' : 'static'}, because experts are placed.`
        : undefined;
    },
  },
  {
    rule: 'redundant-experts-unbalanced',
    severity: 'warning',
    covers: ['SG-EPLB07'],
    keys: ['ep-num-redundant-experts', 'enable-eplb', 'init-expert-location'],
    source: ['eplb/expert_location.py', 'ExpertLocationMetadata.init_trivial'],
    says: ({ args, word }) => {
      const redundant = args.integer('ep-num-redundant-experts') ?? 0;
      return redundant > 0 && !args.flag('enable-eplb') && word('init-expert-location', 'trivial') === 'trivial'
        ? `The ${redundant} redundant experts are copies of the first ${redundant}, whatever their load, and take memory: add enable-eplb or init-expert-location.`
        : undefined;
    },
  },
];

export const balancingRules: readonly SglangRule[] = [...GRID, ...BALANCING];
