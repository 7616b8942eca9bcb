import type { Finding, SourceReference } from '../../plan/finding';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import type { Coverage } from '../common/conditions';
import { remark, replaceFix, wordFix } from '../common/findings';
import { childOf, entryOf, hasKey, isScalar, keyPlaceOf, mapOf, placeOf, textOf } from '../common/nodes';
import { pydanticFindings, type PydanticType } from '../common/pydantic';
import { presetFindings, quantizationGroupsFindings } from '../common/quantization-args';
import { closest } from '../common/spelling';
import { holdsModifier } from './detect';
import { modifierSchemas } from './schema-data';

function source(file: string, fn: string): SourceReference {
  return {
    framework: 'llm-compressor',
    repository: 'vllm-project/llm-compressor',
    file: `src/llmcompressor/${file}`,
    function: fn,
  };
}

const MIXIN = 'modifiers/quantization/quantization/mixin.py';
const OBSERVERS = ['weights', 'input', 'output'];
/** Keys beside the stages of a recipe that llm-compressor wrote itself. */
const BESIDE = ['version', 'args', 'metadata', 'stage', 'sparsity', 'recipe_type'];

function isGiven(entry: Entry | undefined): entry is Entry {
  return entry !== undefined && !(isScalar(entry.value) && (entry.value.value === null || entry.value.unresolved));
}

function schemeFindings(map: MapNode): Finding[] {
  const scheme = entryOf(map, 'scheme');
  if (!isGiven(scheme)) return [];
  const groups = entryOf(map, 'config_groups');
  if (isGiven(groups))
    return [
      remark({
        rule: 'exclusive-keys',
        severity: 'error',
        at: keyPlaceOf(scheme),
        source: source(MIXIN, 'QuantizationMixin.resolve_quantization_config'),
        message: '`scheme` and `config_groups` both say how weights are quantized; llm-compressor takes one of them.',
        related: [{ at: keyPlaceOf(groups), message: '`config_groups` stands here' }],
      }),
    ];
  const name = textOf(scheme.value);
  if (name !== undefined) return presetFindings(name, scheme, true);
  return scheme.value.kind === 'map' ? scheme.value.entries.flatMap((entry) => presetFindings(entry.key, entry)) : [];
}

function observerFindings(map: MapNode): Finding[] {
  const observer = entryOf(map, 'observer');
  if (!isGiven(observer) || observer.value.kind !== 'map') return [];
  const at = source(MIXIN, 'QuantizationMixin.validate_observer');
  const other = ['weight_observer', 'input_observer', 'output_observer'].find((key) => isGiven(entryOf(map, key)));
  if (other !== undefined)
    return [
      remark({
        rule: 'exclusive-keys',
        severity: 'error',
        at: keyPlaceOf(observer),
        source: at,
        message: `\`observer\` and \`${other}\` say the same thing twice; llm-compressor takes one of them.`,
      }),
    ];
  return observer.value.entries
    .filter(({ key }) => !OBSERVERS.includes(key))
    .map((entry) =>
      remark({
        rule: 'unknown-key',
        severity: 'error',
        at: keyPlaceOf(entry),
        source: at,
        message: `\`observer\` has ${OBSERVERS.join(', ')}, and no \`${entry.key}\`.`,
      }),
    );
}

/** `GPTQModifier.actorder` against those of its groups. */
function orderFindings(map: MapNode): Finding[] {
  const own = entryOf(map, 'actorder');
  const word = textOf(own?.value);
  if (!isGiven(own) || word === undefined || typeof (own.value as { value?: unknown }).value === 'boolean') return [];
  const groups = mapOf(map, 'config_groups')?.entries ?? [];
  return groups.flatMap(({ value }): Finding[] => {
    const inner = entryOf(childOf(value, 'weights'), 'actorder');
    const other = textOf(inner?.value);
    return inner === undefined || other === undefined || other.toLowerCase() === word.toLowerCase()
      ? []
      : [
          {
            rule: 'activation-order-conflict',
            severity: 'error',
            at: placeOf(own),
            source: source('modifiers/gptq/base.py', 'GPTQModifier.resolve_quantization_config'),
            message: `\`actorder: ${word}\` of the modifier and \`actorder: ${other}\` of a group differ, which GPTQ refuses; leave one of them out.`,
            related: [{ at: placeOf(inner), message: 'the order of the group' }],
          },
        ];
  });
}

/** Modifiers are Pydantic's models: a value is turned into its field's type or refused. */
function argumentTypes(argument: Entry, type: string | readonly string[] | undefined): Finding[] {
  return typeof type === 'string'
    ? pydanticFindings(argument, type as PydanticType, source('modifiers/modifier.py', 'Modifier'))
    : [];
}

function argumentKeys(entry: Entry): Finding[] {
  const known = modifierSchemas[entry.key]?.properties;
  if (known === undefined || entry.value.kind !== 'map') return [];
  return entry.value.entries.flatMap((argument): Finding[] => {
    if (Object.hasOwn(known, argument.key)) return argumentTypes(argument, known[argument.key]?.type);
    const meant = closest(argument.key, Object.keys(known));
    return [
      remark({
        rule: 'unknown-key',
        severity: meant === undefined ? 'warning' : 'error',
        at: keyPlaceOf(argument),
        source: source('modifiers/modifier.py', 'Modifier'),
        message: `\`${argument.key}\` is no argument of ${entry.key}, and llm-compressor refuses those that it does not know${meant === undefined ? '.' : `; did you mean \`${meant}\`?`}`,
        ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, argument.keySpan, meant)] }),
      }),
    ];
  });
}

/** AWQ only smooths: something after it has to quantize. Older releases quantize in AWQ itself, by the same keys as the others. */
function awqFindings(modifiers: MapNode): Finding[] {
  const index = modifiers.entries.findIndex(({ key }) => key === 'AWQModifier');
  const awq = modifiers.entries[index];
  if (awq === undefined || hasKey(awq.value, 'scheme') || hasKey(awq.value, 'config_groups')) return [];
  const after = modifiers.entries
    .slice(index + 1)
    .some(({ key }) => /^(Quantization|GPTQ|AutoRound)Modifier$/.test(key));
  return after
    ? []
    : [
        {
          rule: 'modifier-order',
          severity: 'error',
          at: keyPlaceOf(awq),
          source: source('recipe/recipe.py', 'Recipe.validate_model_after'),
          message:
            'AWQModifier only prepares the weights: a QuantizationModifier (or GPTQModifier) has to follow it in the same stage.',
        },
      ];
}

/** Classes that targets name; every other bare word is the name of a module, which has dots, digits or a `re:` in front. */
const CLASSES = ['Linear', 'Embedding', 'Conv1d', 'Conv2d', 'Conv3d', 'Attention'];

function wordOfNothing(node: ConfigNode): string | undefined {
  const word = textOf(node);
  if (word === undefined || !/^[A-Za-z]+\d?[a-z]?$/.test(word) || CLASSES.includes(word)) return undefined;
  return closest(word, CLASSES);
}

/** Targets that are nearly the class `Linear`: they match no module, and the modifier has nothing to do. */
function targetFindings(map: MapNode): Finding[] {
  const targets = entryOf(map, 'targets');
  if (!isGiven(targets)) return [];
  const nodes = targets.value.kind === 'list' ? targets.value.items : [targets.value];
  return nodes.flatMap((node): Finding[] => {
    const meant = wordOfNothing(node);
    if (meant === undefined) return [];
    return [
      {
        rule: 'target-matches-nothing',
        severity: 'warning',
        at: { span: node.span },
        source: source('modifiers/gptq/base.py', 'GPTQModifier.on_start'),
        message: `\`${textOf(node) ?? ''}\` is the class of no module, so nothing is quantized by it; did you mean \`${meant}\`?`,
        fixes: wordFix({ ...targets, value: node }, meant),
      },
    ];
  });
}

/** Everything about one mapping of modifiers. */
export function modifierFindings(modifiers: MapNode): Finding[] {
  return [
    ...awqFindings(modifiers),
    ...modifiers.entries.flatMap((entry): Finding[] => {
      const { value } = entry;
      if (value.kind !== 'map') return [];
      return [
        ...argumentKeys(entry),
        ...schemeFindings(value),
        ...targetFindings(value),
        ...observerFindings(value),
        ...(entry.key === 'GPTQModifier' ? orderFindings(value) : []),
        ...quantizationGroupsFindings(value),
      ];
    }),
  ];
}

function skipped(entry: Entry, suffix: string): Finding {
  return {
    rule: 'stage-name-ignored',
    severity: 'information',
    at: keyPlaceOf(entry),
    source: source('recipe/recipe.py', 'Recipe.from_dict'),
    message: `\`${entry.key}\` does not end in \`${suffix}\`, so llm-compressor skips it without a word and none of its modifiers run.`,
    fixes: [replaceFix(`Change to \`${entry.key}${suffix}\``, entry.keySpan, `${entry.key}${suffix}`, false)],
  };
}

/** Stages and modifier groups whose names hide them from llm-compressor. */
export function stageFindings(root: MapNode): Finding[] {
  return root.entries.flatMap((stage): Finding[] => {
    const { value } = stage;
    if (value.kind !== 'map' || BESIDE.includes(stage.key) || /Modifier$/.test(stage.key)) return [];
    const inside = value.entries.filter((entry) => holdsModifier(entry.value));
    if (!stage.key.endsWith('_stage')) return inside.length > 0 ? [skipped(stage, '_stage')] : [];
    return inside.filter(({ key }) => !key.endsWith('_modifiers')).map((entry) => skipped(entry, '_modifiers'));
  });
}

export const llmCompressorCoverage: readonly Coverage[] = [
  { rule: 'exclusive-keys', covers: ['LC-01', 'LC-03'] },
  { rule: 'unknown-scheme', covers: ['LC-02'] },
  { rule: 'group-not-dividing', covers: ['LC-04'] },
  { rule: 'activation-order-conflict', covers: ['LC-05'] },
  { rule: 'modifier-order', covers: ['LC-07'] },
  { rule: 'stage-name-ignored', covers: ['LC-08'] },
  { rule: 'unknown-key', covers: ['LC-09'] },
];
