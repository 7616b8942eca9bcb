import type { Finding } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { remark } from '../common/findings';
import type { JsonSchema } from '../common/json-schema';
import { nestedKeyFindings } from '../common/nested-keys';
import { entryOf, isScalar, keyPlaceOf, mapOf, placeOf, textOf } from '../common/nodes';
import { trtSchema } from './schema-data';
import { trtSource } from './source';

const STRICT = trtSource('llmapi/llm_args.py', 'StrictBaseModel');

/** Sections whose fields hang on a choice inside take any further key: the list of them is not complete. */
function opened(schema: JsonSchema): JsonSchema {
  return schema.properties === undefined || schema.additionalProperties === false
    ? schema
    : { ...schema, additionalProperties: {} };
}

/** Keys of this release and of wrappers, which a file may hold without being wrong about them. */
const judged: JsonSchema = {
  ...trtSchema,
  properties: {
    ...Object.fromEntries(Object.entries(trtSchema.properties ?? {}).map(([key, schema]) => [key, opened(schema)])),
    ...Object.fromEntries(Object.keys(trtSchema['x-removed']).map((key) => [key, {}])),
  },
};
const wrapped: JsonSchema = {
  ...judged,
  properties: {
    ...judged.properties,
    ...Object.fromEntries(Object.keys(trtSchema['x-wrapper']).map((key) => [key, {}])),
    llm_api_args: {},
  },
};

function removed(entry: Entry): Finding[] {
  if (!Object.hasOwn(trtSchema['x-removed'], entry.key)) return [];
  const successor = trtSchema['x-removed'][entry.key];
  const now = successor === null || successor === undefined ? '' : `; \`${successor}\` says it now`;
  return [
    remark({
      rule: 'removed-key',
      severity: 'warning',
      at: keyPlaceOf(entry),
      source: STRICT,
      message: `\`${entry.key}\` was a field of TensorRT-LLM in 2025, and later releases refuse a file that has it${now}.`,
    }),
  ];
}

/** The kernel family of experts that only earlier releases had. */
function wideExperts(api: MapNode): Entry | undefined {
  const entry = entryOf(mapOf(api, 'moe_config'), 'backend');
  return textOf(entry?.value)?.toUpperCase() === 'WIDEEP' ? entry : undefined;
}

function goneBackend(entry: Entry): Finding {
  return remark({
    rule: 'wrong-value',
    severity: 'warning',
    at: placeOf(entry),
    source: trtSource('llmapi/llm_args.py', 'MoeConfig'),
    message:
      '`moe_config.backend: WIDEEP` is gone from current releases, which refuse it; CUTLASS, DEEPGEMM and TRTLLM spread experts by themselves.',
  });
}

/**
 * Keys and values against TensorRT-LLM's classes, which forbid what they do not know at every depth. A key near a known one is an error;
 * another may belong to a newer release, so it is a warning. `bare` is false inside a benchmark wrapper.
 */
export function trtSpelling(api: MapNode, bare: boolean): Finding[] {
  // Other backends have classes of their own.
  if (['_autodeploy', 'tensorrt'].includes(textOf(entryOf(api, 'backend')?.value) ?? '')) return [];
  const wide = wideExperts(api);
  const scalars = ['cuda_graph_config', 'torch_compile_config'].filter((key) => isScalar(entryOf(api, key)?.value));
  const policy = {
    framework: 'TensorRT-LLM',
    source: STRICT,
    refuses: 'which refuses every key that it does not know',
    near: bare ? 'error' : 'warning',
    far: 'warning',
    value: 'error',
    coerces: true,
    leave: new Set(wide === undefined ? scalars : [...scalars, 'moe_config.backend']),
  } as const;
  const nested = nestedKeyFindings(api, bare ? judged : wrapped, policy).map((finding) =>
    // Words are added with every release; those of these two are written out in the class.
    finding.rule !== 'wrong-value' || /did you mean|`backend: /.test(finding.message)
      ? finding
      : { ...finding, severity: 'warning' as const },
  );
  return [
    ...api.entries.flatMap(removed),
    // A wrapper has keys of its own; only what is nearly a key of TensorRT-LLM is worth a word there.
    ...nested.filter((finding) => bare || finding.fixes !== undefined || finding.rule !== 'unknown-key'),
    ...(wide === undefined ? [] : [goneBackend(wide)]),
  ];
}
