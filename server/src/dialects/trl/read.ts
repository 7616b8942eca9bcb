import type { TrainingDetails } from '../../engine/memory/input';
import type { Finding } from '../../plan/finding';
import type { Plan } from '../../plan/plan';
import { layerClassFindings } from '../accelerate/layer-class';
import { dtypeOf } from '../common/dtypes';
import { present } from '../common/sourced';
import { remark, replaceFix } from '../common/findings';
import { keyPlaceOf, rootMap } from '../common/nodes';
import { closest } from '../common/spelling';
import { deepSpeedBeside, DEEPSPEED } from '../deepspeed/companion';
import { completeDeepSpeed } from '../deepspeed/plan';
import { HF_TRAINER, withAuto } from '../deepspeed/trainer';
import { NO_SECTIONS, overlaid, trainingPlan, type Sections } from '../deepspeed/sections';
import { checkSource, follows, layered, taken, type Source } from '../deepspeed/source';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { trlSchema } from './schema-data';
import { groupFindings, trlConditions } from './rules';
import {
  adapterDetails,
  adapterPrecision,
  launched,
  modelFile,
  trainerPrecision,
  trainerSections,
  type TrainerNames,
} from './trainer';

const NAMES: TrainerNames = {
  model: 'model_name_or_path',
  microBatch: 'per_device_train_batch_size',
  accumulation: 'gradient_accumulation_steps',
  sequence: ['max_length', 'max_seq_length'],
  optimizer: 'optim',
  checkpointing: { name: 'gradient_checkpointing', otherwise: true },
  microDefault: 8,
  sequenceDefault: 1024,
};

function adaptersOf(source: Source): TrainingDetails {
  if (source.flag('use_peft') !== true) return {};
  const { lora } = adapterDetails(source, { rank: 'lora_r', targets: 'lora_target_modules', otherwise: 16 });
  if (lora === undefined) return {};
  // The library picks the query and value projections of most families where no module is named.
  const named = source.entry('lora_target_modules') !== undefined;
  return {
    lora: named ? lora : { ...lora, targets: ['q_proj', 'v_proj'] },
    ...(source.flag('load_in_4bit') === true ? { quantizedBase: true } : {}),
    ...(source.flag('load_in_8bit') === true ? { quantizedBase: true, baseBytes: 1 } : {}),
  };
}

/** Jobs that sample completions train on prompt and completion together. */
function sampled(source: Source): Plan['batch'] {
  const prompt = source.integer('max_prompt_length');
  const completion = source.integer('max_completion_length');
  if (completion === undefined || source.entry('max_length') !== undefined) return {};
  return present<Plan['batch']>({
    sequenceLength: follows(
      source,
      'max_completion_length',
      completion + (prompt ?? 512),
      prompt === undefined ? 'completion and a prompt of 512 tokens' : 'prompt and completion',
    ),
  });
}

/** Scripts add arguments of their own, so only what looks like a slip is told. */
function slips(root: MapNode): Finding[] {
  const known = Object.keys(trlSchema.properties ?? {});
  return root.entries.flatMap((entry): Finding[] => {
    const own = trlSchema.properties?.[entry.key] !== undefined || entry.key.startsWith('dataset');
    if (own || entry.key.length < 8) return [];
    const meant = closest(entry.key, known);
    if (meant === undefined || Math.abs(meant.length - entry.key.length) > 1) return [];
    return [
      remark({
        rule: 'unknown-key',
        severity: 'warning',
        at: keyPlaceOf(entry),
        message: `\`${entry.key}\` is no argument of the Trainer or TRL, whose parser stops on unknown ones; did you mean \`${meant}\`?`,
        fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)],
      }),
    ];
  });
}

function reference(source: Source): Reference[] {
  const target = modelFile(source.text('model_name_or_path'));
  const at = taken(source, 'model_name_or_path', target)?.at;
  return target === undefined || at === undefined ? [] : [{ at, target, kind: 'model-config' }];
}

/** Reads arguments of a TRL script; how the ranks share the work stands in the Accelerate file it is launched with. */
export function readTrl(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('trl', NO_SECTIONS), findings: [], references: [] };
  const own = layered([{ root, prefix: '' }]);
  const named = deepSpeedBeside(own, 'deepspeed', read);
  const source = withAuto(layered([{ root, prefix: '' }, ...named.layers]), HF_TRAINER);
  const load = ['torch_dtype', 'dtype'].find((name) => source.entry(name) !== undefined);
  const weights = load === undefined ? undefined : taken(source, load, dtypeOf(source.text(load) ?? ''));
  const details: TrainingDetails = {
    ...adaptersOf(source),
    ...(source.flag('use_liger_kernel') === true ? { linearLoss: 'liger' } : {}),
  };
  const base: Sections = overlaid(trainerSections(source, NAMES), { ...NO_SECTIONS, details, batch: sampled(source) });
  const precision = details.lora === undefined ? trainerPrecision(source, weights) : adapterPrecision(source, weights);
  const sections = launched(source, base, precision);
  return {
    plan: trainingPlan('trl', overlaid(sections, { ...NO_SECTIONS, unresolved: named.unresolved })),
    ...(named.layers.length === 0 ? {} : { complete: completeDeepSpeed(source, DEEPSPEED) }),
    findings: [...slips(root), ...checkSource(trlConditions, source)],
    check: (plan) => [
      ...groupFindings(source, plan),
      ...layerClassFindings(source, ['fsdp_config.transformer_layer_cls_to_wrap'], plan),
    ],
    references: [...reference(source), ...named.references],
  };
}
