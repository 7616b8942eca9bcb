import type { Finding, SourceReference } from '../../plan/finding';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { checkConditions, coverageOf, type Condition, type Coverage } from './conditions';
import { remark, replaceFix } from './findings';
import { childOf, entryOf, isList, isScalar, keyPlaceOf, mapOf, placeOf, textOf } from './nodes';
import { pydanticFindings, type PydanticType } from './pydantic';
import { closest } from './spelling';
import { treeValues, type ConfigValues } from './values';

function source(file: string, fn: string): SourceReference {
  return {
    framework: 'compressed-tensors',
    repository: 'vllm-project/compressed-tensors',
    file: `src/compressed_tensors/quantization/${file}`,
    function: fn,
  };
}

const ARGS = source('quant_args.py', 'QuantizationArgs.validate_model_after');
const SCHEME = source('quant_scheme.py', 'QuantizationScheme.validate_model_after');
const GROUPED = ['group', 'tensor_group'];
/** Strategies whose scales can be computed while serving. */
const DYNAMIC = ['token', 'tensor', 'tensor_group', 'group'];

/** Names of ready-made schemes. Source: quant_scheme.py, PRESET_SCHEMES. */
export const PRESET_SCHEMES: readonly string[] = [
  'UNQUANTIZED',
  'W8A16',
  'W4A16',
  'W4A16_ASYM',
  'W4A8',
  'W4AFP8',
  'W8A8',
  'INT8',
  'FP8',
  'FP8_DYNAMIC',
  'FP8_BLOCK',
  'NVFP4',
  'NVFP4A16',
  'MXFP4',
  'MXFP4A16',
  'MXFP8',
  'MXFP8A16',
  ...[2, 3, 4, 5, 6, 7, 8].flatMap((weight) => [16, 8, 4].map((activation) => `W${weight}A${activation}`)),
];

/** What is in effect where nothing is written: a group size alone means groups, -1 one scale a channel. */
function strategyOf(values: ConfigValues): string | undefined {
  const stated = values.text('strategy');
  if (stated !== undefined) return stated.toLowerCase();
  if (values.unknown('strategy') || values.unknown('group_size')) return undefined;
  const size = values.number('group_size');
  return size === undefined ? undefined : size > 0 ? 'group' : size === -1 ? 'channel' : undefined;
}

/** True, false or `local`. */
function dynamicOf(values: ConfigValues): boolean | 'local' {
  return values.text('dynamic')?.toLowerCase() === 'local' ? 'local' : (values.flag('dynamic') ?? false);
}

function grouped(values: ConfigValues): boolean {
  return GROUPED.includes(strategyOf(values) ?? '');
}

const ARGUMENTS: readonly Condition[] = [
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-01'],
    keys: ['strategy', 'dynamic'],
    source: ARGS,
    says: (values) =>
      strategyOf(values) === 'token' && dynamicOf(values) !== true
        ? '`strategy: token` needs `dynamic: true`: scales of tokens exist only while serving.'
        : undefined,
  },
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-02'],
    keys: ['strategy', 'group_size'],
    source: ARGS,
    says: (values) => {
      const size = values.number('group_size');
      if (!grouped(values) || values.text('strategy') === undefined || (size !== undefined && size > 0))
        return undefined;
      return `\`strategy: ${strategyOf(values) ?? ''}\` needs a positive \`group_size\`${size === undefined ? '' : `, not ${size}`}; 128 is usual for integers, 32 for MX and 16 for NVFP4.`;
    },
  },
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-03'],
    keys: ['group_size', 'strategy'],
    source: ARGS,
    says: (values) => {
      const strategy = values.text('strategy');
      const size = values.number('group_size');
      return strategy !== undefined && size !== undefined && size > 0 && !grouped(values)
        ? `\`group_size: ${size}\` needs \`strategy: group\` or \`tensor_group\`, not \`${strategy}\`.`
        : undefined;
    },
  },
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-04'],
    keys: ['strategy', 'block_structure'],
    source: ARGS,
    says: (values) => {
      const block = values.entry('block_structure') !== undefined;
      const strategy = values.text('strategy');
      if (strategy === undefined || (strategy === 'block') === block) return undefined;
      return block
        ? `\`block_structure\` needs \`strategy: block\`, not \`${strategy}\`.`
        : '`strategy: block` needs `block_structure`, such as [128, 128].';
    },
  },
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-06'],
    keys: ['actorder', 'strategy'],
    source: ARGS,
    says: (values) =>
      values.text('actorder') === 'group' && strategyOf(values) !== undefined && !grouped(values)
        ? `\`actorder: group\` needs groups, and the strategy is \`${strategyOf(values) ?? ''}\`.`
        : undefined,
  },
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-07'],
    keys: ['dynamic', 'strategy'],
    source: ARGS,
    says: (values) => {
      const strategy = strategyOf(values);
      const dynamic = dynamicOf(values);
      if (strategy === undefined) return undefined;
      if (dynamic === 'local' && strategy !== 'tensor_group')
        return `\`dynamic: local\` needs \`strategy: tensor_group\`, not \`${strategy}\`.`;
      return dynamic === true && !DYNAMIC.includes(strategy)
        ? `\`dynamic: true\` cannot go with \`strategy: ${strategy}\`; ${DYNAMIC.join(', ')} can be computed while serving.`
        : undefined;
    },
  },
  {
    rule: 'quantization-format',
    severity: 'error',
    covers: ['CT-12'],
    keys: ['num_bits', 'type'],
    source: source('quant_args.py', 'QuantizationArgs.pytorch_dtype'),
    says: (values) => {
      const bits = values.number('num_bits');
      return values.text('type') === 'float' && Number.isInteger(bits) && bits !== 4 && bits !== 8
        ? `There is no float format of ${bits ?? ''} bits; 4 (E2M1) and 8 (E4M3) exist.`
        : undefined;
    },
  },
];

/** Fields of QuantizationArgs that hold one value, by what Pydantic makes of it. */
const FIELDS: Readonly<Record<string, PydanticType>> = {
  num_bits: 'integer',
  group_size: 'integer',
  symmetric: 'boolean',
  observer: 'string',
  observer_kwargs: 'object',
};
/** Words of each enumeration, in any case where compressed-tensors makes them small first. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  type: ['int', 'float'],
  strategy: ['tensor', 'channel', 'group', 'block', 'token', 'tensor_group', 'attn_head'],
  actorder: ['group', 'weight', 'static', 'dynamic'],
  dynamic: ['local'],
};

function choiceFinding(entry: Entry, choices: readonly string[]): Finding[] {
  const word = isScalar(entry.value) && !entry.value.unresolved ? entry.value.value : undefined;
  if (typeof word !== 'string' || choices.includes(word.toLowerCase())) return [];
  const meant = closest(word.toLowerCase(), choices);
  return [
    remark({
      rule: 'wrong-value',
      severity: 'error',
      at: placeOf(entry),
      source: source('quant_args.py', `QuantizationArgs.validate_${entry.key}`),
      message: `\`${entry.key}: ${word}\` is none of ${choices.join(', ')}${entry.key === 'dynamic' ? ', true and false (without quotes)' : ''}${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`,
      ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.value.span, meant)] }),
    }),
  ];
}

/** A group size is compared with -1 before Pydantic sees it, which no text survives. */
function sizeFinding(map: MapNode): Finding[] {
  const entry = entryOf(map, 'group_size');
  if (entry === undefined || !isScalar(entry.value) || entry.value.unresolved) return [];
  const { value } = entry.value;
  const alone = entryOf(map, 'strategy') === undefined;
  const says =
    typeof value === 'string'
      ? `\`group_size\` takes a whole number without quotes, and compressed-tensors stops on text.`
      : typeof value === 'number' && (value < -1 || (value === 0 && alone))
        ? `\`group_size: ${value}\` is no size: 1 or more are groups, and -1 is one scale a channel.`
        : undefined;
  if (says === undefined) return [];
  const at = source('quant_args.py', 'QuantizationArgs.validate_group');
  return [remark({ rule: 'wrong-value', severity: 'error', at: placeOf(entry), source: at, message: says })];
}

/** Values that Pydantic refuses for the field they are given to. */
function fieldFindings(map: MapNode): Finding[] {
  const own = map.entries.flatMap((entry): Finding[] => {
    const type = FIELDS[entry.key];
    const choices = CHOICES[entry.key];
    if (choices !== undefined) return choiceFinding(entry, choices);
    if (
      type === undefined ||
      (entry.key === 'group_size' && isScalar(entry.value) && typeof entry.value.value === 'string')
    )
      return [];
    return pydanticFindings(entry, type, source('quant_args.py', 'QuantizationArgs'));
  });
  return [...own, ...sizeFinding(map)];
}

const GROUP: readonly Condition[] = [
  {
    rule: 'quantization-strategy',
    severity: 'error',
    covers: ['CT-08'],
    keys: ['input_activations.strategy', 'input_activations.actorder'],
    source: SCHEME,
    says: (values) => {
      const strategy = values.text('input_activations.strategy');
      if (strategy === 'channel' || strategy === 'block')
        return `Activations cannot be quantized with \`strategy: ${strategy}\`; tensor, token, group and tensor_group can.`;
      const order = values.text('input_activations.actorder');
      return order !== undefined && values.flag('input_activations.actorder') !== false
        ? '`actorder` orders weights; activations have none.'
        : undefined;
    },
  },
  {
    rule: 'quantization-format',
    severity: 'error',
    covers: ['CT-09'],
    keys: ['format'],
    source: SCHEME,
    says: (values) =>
      values.text('format') === 'mixed-precision'
        ? '`format: mixed-precision` is for the whole model; one group has one format.'
        : undefined,
  },
  {
    rule: 'group-size-mismatch',
    severity: 'warning',
    covers: ['CT-13'],
    keys: ['input_activations.group_size', 'weights.group_size'],
    source: SCHEME,
    says: (values) => {
      const both = ['weights', 'input_activations'].every((part) => values.text(`${part}.strategy`) === 'group');
      const [weights, activations] = [
        values.number('weights.group_size'),
        values.number('input_activations.group_size'),
      ];
      return both && weights !== undefined && activations !== undefined && weights !== activations
        ? `Groups of ${activations} activations and of ${weights} weights do not line up, which costs speed; take the same size.`
        : undefined;
    },
  },
];

const ARGUMENT_KEYS = [
  'num_bits',
  'type',
  'symmetric',
  'group_size',
  'strategy',
  'block_structure',
  'dynamic',
  'actorder',
  'scale_dtype',
  'zp_dtype',
  'observer',
  'observer_kwargs',
];
const GROUP_KEYS = ['targets', 'weights', 'input_activations', 'output_activations', 'format'];
const PARTS = ['weights', 'input_activations', 'output_activations'];

function unknownKeys(map: MapNode, known: readonly string[], where: string): Finding[] {
  return map.entries.flatMap((entry): Finding[] => {
    if (known.includes(entry.key)) return [];
    const meant = closest(entry.key, known);
    return [
      remark({
        rule: 'unknown-key',
        severity: meant === undefined ? 'warning' : 'error',
        at: keyPlaceOf(entry),
        source: source('quant_args.py', 'QuantizationArgs.model_config'),
        message: `\`${entry.key}\` is no key of ${where}, and compressed-tensors refuses keys that it does not know there${meant === undefined ? '.' : `; did you mean \`${meant}\`?`}`,
        ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
      }),
    ];
  });
}

function structureFinding(map: MapNode): Finding[] {
  const entry = entryOf(map, 'block_structure');
  if (entry === undefined || (isScalar(entry.value) && (entry.value.value === null || entry.value.unresolved)))
    return [];
  const written = textOf(entry.value);
  const sizes = isList(entry.value) ? entry.value.items.map(textOf) : written?.split('x');
  if (sizes?.length === 2 && sizes.every((size) => size !== undefined && /^\s*[1-9]\d*\s*$/.test(size))) return [];
  if (isList(entry.value) && entry.value.items.some((item) => isScalar(item) && item.unresolved)) return [];
  return [
    {
      rule: 'quantization-block-invalid',
      severity: 'error',
      at: placeOf(entry),
      source: source('quant_args.py', 'QuantizationArgs.validate_block_structure'),
      message:
        '`block_structure` has to be two positive whole numbers, rows and columns; engines have kernels for [128, 128].',
    },
  ];
}

/** What compressed-tensors says about one mapping of quantization arguments. */
export function argumentFindings(map: MapNode, where: string): Finding[] {
  return [
    ...unknownKeys(map, ARGUMENT_KEYS, `\`${where}\``),
    ...structureFinding(map),
    ...fieldFindings(map),
    ...checkConditions(ARGUMENTS, treeValues(map)),
  ];
}

/** A group that is a preset with a list of targets, or a full description. */
function groupFindings(entry: Entry): Finding[] {
  const { value } = entry;
  if (isList(value)) return presetFindings(entry.key, entry);
  if (value.kind !== 'map') return [];
  return [
    ...unknownKeys(value, GROUP_KEYS, `a group of \`config_groups\``),
    ...PARTS.flatMap((part) => {
      const map = mapOf(value, part);
      return map === undefined ? [] : argumentFindings(map, part);
    }),
    ...checkConditions(GROUP, treeValues(value)),
  ];
}

/** A scheme name that compressed-tensors does not have ready. */
export function presetFindings(name: string, entry: Entry, onValue = false): Finding[] {
  if (PRESET_SCHEMES.includes(name.toUpperCase())) return [];
  const meant = closest(name.toUpperCase(), PRESET_SCHEMES);
  return [
    {
      rule: 'unknown-scheme',
      severity: 'error',
      at: onValue ? placeOf(entry) : keyPlaceOf(entry),
      source: source('quant_scheme.py', 'preset_name_to_scheme'),
      message: `\`${name}\` is no ready-made quantization scheme${meant === undefined ? `; ${PRESET_SCHEMES.slice(1, 17).join(', ')} are` : `; did you mean \`${meant}\`?`}`,
    },
  ];
}

/** Findings of a `config_groups` mapping and of a `kv_cache_scheme`, in a config.json or in a recipe. */
export function quantizationGroupsFindings(holder: ConfigNode | undefined): Finding[] {
  const groups = childOf(holder, 'config_groups');
  const scheme = mapOf(holder, 'kv_cache_scheme');
  return [
    ...(groups?.kind === 'map' ? groups.entries.flatMap(groupFindings) : []),
    ...(scheme === undefined ? [] : argumentFindings(scheme, 'kv_cache_scheme')),
  ];
}

/** Which gathered rules these findings cover. */
export const compressedTensorsCoverage: readonly Coverage[] = [
  ...coverageOf([...ARGUMENTS, ...GROUP]),
  { rule: 'quantization-block-invalid', covers: ['CT-05'] },
  { rule: 'unknown-key', covers: ['CT-10'] },
  { rule: 'unknown-scheme', covers: ['CT-11'] },
];
