import { NEMO1 } from './profiles';
import type { Finding } from '../../plan/finding';
import type { Entry } from '../../syntax/tree';
import { listed, remark } from '../common/findings';
import { keyPlaceOf, placeOf, textOf } from '../common/nodes';
import type { MegatronArguments } from './arguments';
import { layoutFault, parsePipelineLayout } from './pipeline-layout';
import { source } from './spelling';

interface Exclusion {
  /** Destinations of which at most one may be set. */
  readonly among: readonly string[];
  readonly says: string;
  /** The exclusion holds only under this condition. */
  readonly under?: (args: MegatronArguments) => boolean;
  readonly file?: string;
  readonly function?: string;
}

const OPTIMIZATION = 'megatron/training/arguments.py';
const CONFIG = 'megatron/core/transformer/transformer_config.py';

/** Arguments that Megatron refuses side by side, whatever their values multiply to. */
const EXCLUSIONS: readonly Exclusion[] = [
  {
    among: [
      'num_layers_per_virtual_pipeline_stage',
      'num_virtual_stages_per_pipeline_rank',
      'pipeline_model_parallel_layout',
    ],
    says: 'interleaving is given in one form only',
  },
  {
    among: ['num_layers_per_virtual_pipeline_stage', 'decoder_first_pipeline_num_layers'],
    says: 'an uneven split with interleaving needs --num-virtual-stages-per-pipeline-rank',
  },
  {
    among: ['num_layers_per_virtual_pipeline_stage', 'decoder_last_pipeline_num_layers'],
    says: 'an uneven split with interleaving needs --num-virtual-stages-per-pipeline-rank',
  },
  {
    among: ['decoder_first_pipeline_num_layers', 'account_for_embedding_in_pipeline_split'],
    says: 'the first stage is either sized or relieved of the embedding',
    file: CONFIG,
    function: 'TransformerConfig.__post_init__',
  },
  {
    among: ['decoder_last_pipeline_num_layers', 'account_for_loss_in_pipeline_split'],
    says: 'the last stage is either sized or relieved of the loss',
    file: CONFIG,
    function: 'TransformerConfig.__post_init__',
  },
  { among: ['fp16', 'bf16'], says: 'one half-precision format is chosen' },
  { among: ['fp8', 'fp4'], says: 'one low-precision format is chosen' },
  { among: ['step_batch_size_schedule', 'global_batch_size'], says: 'the schedule states the global batch' },
  {
    among: ['train_iters', 'train_samples'],
    says: 'training is counted in steps or in samples',
    under: (args) => args.flag('skip_train') !== true,
  },
  {
    among: ['train_iters', 'lr_decay_samples'],
    says: 'training in steps decays in steps',
    under: (args) => args.flag('skip_train') !== true,
  },
  {
    among: ['train_samples', 'lr_decay_iters'],
    says: 'training in samples decays in samples',
    under: (args) => args.flag('skip_train') !== true,
  },
  {
    among: ['train_iters', 'lr_warmup_samples'],
    says: 'training in steps warms up in steps',
    under: (args) => args.flag('skip_train') !== true,
  },
  {
    among: ['train_samples', 'lr_warmup_iters'],
    says: 'training in samples warms up in samples',
    under: (args) => args.flag('skip_train') !== true,
  },
  {
    among: ['lr_warmup_fraction', 'lr_warmup_iters'],
    says: 'warm-up is a share or a count',
    under: (args) => isSet(args, 'train_iters'),
  },
  {
    among: ['lr_warmup_fraction', 'lr_warmup_samples'],
    says: 'warm-up is a share or a count',
    under: (args) => isSet(args, 'train_samples'),
  },
  { among: ['multi_latent_attention', 'group_query_attention'], says: 'latent attention has no key/value groups' },
  ...['train_data_path', 'valid_data_path', 'test_data_path'].map((split) => ({
    among: ['mock_data', 'data_path', split],
    says: 'there is one source of data',
  })),
];

/** Set to something: a switch that is on, a number other than zero, any other value. Interpolations count as not known to be set. */
function isSet(args: MegatronArguments, destination: string): boolean {
  if (args.entry(destination) === undefined || args.unknown(destination)) return false;
  const flag = args.flag(destination);
  if (flag !== undefined) return flag;
  const number = args.number(destination);
  return number === undefined ? (textOf(args.node(destination)) ?? 'list').length > 0 : number !== 0;
}

function exclusiveFinding(rule: Exclusion, set: readonly Entry[]): Finding {
  const [first, ...others] = set as [Entry, ...Entry[]];
  return remark({
    rule: 'exclusive-keys',
    severity: 'error',
    at: keyPlaceOf(first),
    source: source(rule.function, rule.file ?? OPTIMIZATION),
    message: `${listed(set.map(({ key }) => `\`${key}\``))} cannot stand together: ${rule.says}.`,
    related: others.map((entry) => ({ at: keyPlaceOf(entry), message: `\`${entry.key}\` stands here` })),
  });
}

/** Arguments that exclude one another, a recompute form that does not exist, and a layout string that cannot be read. */
export function formFindings(args: MegatronArguments): Finding[] {
  const found = EXCLUSIONS.flatMap((rule): Finding[] => {
    if (rule.under !== undefined && !rule.under(args)) return [];
    const set = rule.among
      .filter((destination) => isSet(args, destination))
      .map(args.entry)
      .filter((entry) => entry !== undefined);
    return set.length > 1 ? [exclusiveFinding(rule, set)] : [];
  });
  return [...found, ...recomputeFindings(args), ...layoutFindings(args)];
}

function recomputeFindings(args: MegatronArguments): Finding[] {
  // NeMo passes a method over under selective recompute, and its own configurations give both.
  if (args.text('recompute_granularity') !== 'selective' || args.profile === NEMO1) return [];
  return ['recompute_method', 'recompute_num_layers'].flatMap((destination): Finding[] => {
    const entry = args.entry(destination);
    if (entry === undefined || !isSet(args, destination)) return [];
    return [
      remark({
        rule: 'exclusive-keys',
        severity: 'error',
        at: keyPlaceOf(entry),
        source: source('TransformerConfig.__post_init__', CONFIG),
        message: `\`${entry.key}\` belongs to full recompute; selective recompute is told by \`--recompute-modules\`.`,
      }),
    ];
  });
}

function layoutFindings(args: MegatronArguments): Finding[] {
  const entry = args.entry('pipeline_model_parallel_layout');
  const text = args.text('pipeline_model_parallel_layout');
  if (entry === undefined || text === undefined) return [];
  const ranks =
    args.entry('pipeline_model_parallel_size') === undefined ? 1 : args.integer('pipeline_model_parallel_size');
  const fault = layoutFault(parsePipelineLayout(text), ranks);
  if (fault === undefined) return [];
  return [
    remark({
      rule: 'pipeline-layout',
      severity: 'error',
      at: placeOf(entry),
      source: source('PipelineParallelLayerLayout', 'megatron/core/transformer/pipeline_parallel_layer_layout.py'),
      message: `\`${entry.key}: ${text.slice(0, 60)}\`: ${fault}.`,
    }),
  ];
}
