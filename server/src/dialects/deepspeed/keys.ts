import type { Finding } from '../../plan/finding';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { remark, replaceFix } from '../common/findings';
import { schemaOfKey, type JsonSchema } from '../common/json-schema';
import { keyPlaceOf, mapOf, placeOf } from '../common/nodes';
import { nestedKeyFindings } from '../common/nested-keys';
import { closest } from '../common/spelling';
import { deepSpeedFile } from './framework';
import { deepSpeedSchema } from './schema-data';

const KEYS = deepSpeedFile('deepspeed/runtime/config_utils.py', 'DeepSpeedConfigModel');
const TOP = deepSpeedFile('deepspeed/runtime/config.py', 'DeepSpeedConfig._initialize_params');
/** Sections read by models that refuse every key they do not have. */
const STRICT = [
  'zero_optimization',
  'fp16',
  'bf16',
  'bfloat16',
  'comms_logger',
  'tensorboard',
  'wandb',
  'csv_monitor',
  'comet',
];
/** Sections that hold a mapping or nothing. */
const SECTIONS = [
  'fp16',
  'bf16',
  'optimizer',
  'scheduler',
  'activation_checkpointing',
  'aio',
  'zero_optimization.offload_optimizer',
  'zero_optimization.offload_param',
];

/** `auto` is replaced before DeepSpeed looks, so it is a value of unknown type. */
function withoutAuto(node: ConfigNode): ConfigNode {
  if (node.kind === 'scalar') return node.value === 'auto' ? { ...node, unresolved: true } : node;
  if (node.kind === 'list') return node;
  return { ...node, entries: node.entries.map((entry) => ({ ...entry, value: withoutAuto(entry.value) })) };
}

function topLevel(root: MapNode): Finding[] {
  const known = Object.keys(deepSpeedSchema.properties ?? {});
  return root.entries
    .filter(({ key }) => deepSpeedSchema.properties?.[key] === undefined)
    .map((entry) => {
      const meant = closest(entry.key, known);
      return remark({
        rule: 'unknown-key',
        severity: meant === undefined ? 'information' : 'warning',
        at: keyPlaceOf(entry),
        source: TOP,
        message: `\`${entry.key}\` is no key of DeepSpeed, which passes over unknown keys at the top without a word${meant === undefined ? '.' : `; did you mean \`${meant}\`?`}`,
        ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
      });
    });
}

/** A key that is right elsewhere in the file is refused for certain; of one that no release is known to have, we are only nearly sure. */
function nested(root: MapNode): Finding[] {
  const sections = root.entries.filter(({ key, value }) => STRICT.includes(key) && value.kind === 'map');
  const strict: MapNode = { ...root, entries: sections };
  return nestedKeyFindings(withoutAuto(strict) as MapNode, deepSpeedSchema, {
    framework: 'DeepSpeed',
    source: KEYS,
    refuses: 'which refuses unknown keys in its sections',
    near: 'error',
    far: 'warning',
    value: 'warning',
  }).map((finding) => {
    const key = /^`([^`]+)`/.exec(finding.message)?.[1] ?? '';
    const misplaced = finding.rule === 'unknown-key' && deepSpeedSchema.properties?.[key] !== undefined;
    return misplaced ? { ...finding, severity: 'error' as const } : finding;
  });
}

function sectionAt(root: MapNode, path: string): Entry | undefined {
  const [first = '', second] = path.split('.');
  const map = second === undefined ? root : mapOf(root, first);
  return map?.entries.find(({ key }) => key === (second ?? first));
}

function notMaps(root: MapNode): Finding[] {
  return SECTIONS.flatMap((path): Finding[] => {
    const entry = sectionAt(root, path);
    if (entry === undefined || entry.value.kind === 'map') return [];
    if (entry.value.kind === 'scalar' && (entry.value.value === null || entry.value.unresolved)) return [];
    return [
      remark({
        rule: 'wrong-type',
        severity: 'error',
        at: placeOf(entry),
        source: KEYS,
        message: `\`${entry.key}\` is a section of keys${path.includes('offload') ? ' such as `{ "device": "cpu" }`' : ''}; DeepSpeed cannot read another value here.`,
      }),
    ];
  });
}

/** The deprecated keys of the ZeRO section, and what each became. */
function deprecated(root: MapNode): Finding[] {
  const zero = mapOf(root, 'zero_optimization');
  return (zero?.entries ?? []).flatMap((entry): Finding[] => {
    const schema: JsonSchema | undefined = schemaOfKey(
      deepSpeedSchema,
      deepSpeedSchema.properties?.['zero_optimization'] ?? {},
      entry.key,
    );
    const successor = schema?.['x-deprecated'];
    if (successor === undefined) return [];
    const both =
      typeof successor === 'string' &&
      zero?.entries.some(({ key }) => key === successor || key === `stage3_${successor}`);
    return [
      remark({
        rule: both === true ? 'exclusive-keys' : 'deprecated-key',
        severity: both === true ? 'error' : 'warning',
        at: keyPlaceOf(entry),
        source: KEYS,
        message:
          both === true
            ? `\`${entry.key}\` and its successor \`${String(successor)}\` stand side by side; DeepSpeed refuses that.`
            : `\`${entry.key}\` is deprecated${typeof successor === 'string' ? `; its successor is \`${successor}\`` : ' and no longer does anything'}.`,
        tags: ['deprecated'],
      }),
    ];
  });
}

function oldZero(root: MapNode): Finding[] {
  const entry = sectionAt(root, 'zero_optimization');
  if (entry?.value.kind !== 'scalar' || typeof entry.value.value !== 'boolean') return [];
  const stage = entry.value.value ? 1 : 0;
  return [
    remark({
      rule: 'deprecated-key',
      severity: 'warning',
      at: placeOf(entry),
      source: deepSpeedFile('deepspeed/runtime/zero/config.py', 'read_zero_config_deprecated'),
      message: `\`zero_optimization: ${String(entry.value.value)}\` is the old form; DeepSpeed reads it as \`{ "stage": ${stage} }\`.`,
      fixes: [replaceFix(`Write \`{ "stage": ${stage} }\``, entry.value.span, `{ "stage": ${stage} }`)],
      tags: ['deprecated'],
    }),
  ];
}

/** Keys and types of a DeepSpeed file, each with what DeepSpeed does about it. */
export function deepSpeedKeyFindings(root: MapNode): Finding[] {
  return [...topLevel(root), ...nested(root), ...notMaps(root), ...deprecated(root), ...oldZero(root)];
}
