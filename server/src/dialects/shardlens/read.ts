import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import { SECTIONS } from '../../plan/sections';
import type { Finding } from '../../plan/finding';
import type { Plan, Planned, Sourced, Unresolved } from '../../plan/plan';
import type { ConfigNode, ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { ModelSpec } from '../../engine/model/spec';
import { dtypeOf } from '../common/dtypes';
import { remark, replaceFix } from '../common/findings';
import { branches, dereference, type JsonSchema } from '../common/json-schema';
import { booleanOf, entryOf, isUnresolved, keyPlaceOf, mapOf, placeOf, rootMap, textOf } from '../common/nodes';
import { byDefault, derived, written } from '../common/sourced';
import { layoutFault, parsePipelineLayout } from '../megatron/pipeline-layout';
import { shardlensSchema } from '../schemas';
import { layerSet, readValue } from './values';
import { structuralFindings } from './validate';

type Sections = Record<string, Record<string, Sourced<unknown>>>;

/** What is collected while the schema and the tree are walked side by side. */
interface Collected {
  readonly sections: Sections;
  readonly unresolved: Unresolved[];
  readonly references: Reference[];
}

const REFERENCE_KINDS: Readonly<Record<string, Reference['kind']>> = { model: 'model-config', placement: 'placement' };

function emptySections(): Sections {
  return Object.fromEntries(SECTIONS.map((name) => [name, {}]));
}

function put(collected: Collected, field: string, value: Sourced<unknown>): void {
  const [section = '', key = ''] = field.split('.');
  const target = collected.sections[section];
  if (target !== undefined) target[key] ??= value;
}

/** A path rather than a name: it says so by a dot, a slash at its start, or its ending. */
export function looksLikePath(text: string): boolean {
  return /^(\.{0,2}\/|~\/|[A-Za-z]:[\\/])/.test(text) || text.endsWith('.json');
}

function leaf(schema: JsonSchema, entry: Entry, collected: Collected): void {
  const field = schema['x-plan'];
  if (field === undefined) return;
  if (isUnresolved(entry.value)) {
    collected.unresolved.push({ path: field, at: placeOf(entry) });
    return;
  }
  const value = readValue(schema, entry.value);
  if (value === undefined) return;
  put(collected, field, written(value, entry));
  const kind = REFERENCE_KINDS[schema['x-read'] ?? ''];
  if (kind !== undefined && typeof value === 'string' && (kind === 'placement' || looksLikePath(value))) {
    collected.references.push({ at: placeOf(entry), target: value, kind });
  }
}

/** The branch of a key's schema that fits the shape of what was written there. */
function branchFor(schema: JsonSchema, node: ConfigNode): JsonSchema {
  const shape = node.kind === 'map' ? 'object' : node.kind === 'list' ? 'array' : undefined;
  const all = branches(shardlensSchema, schema);
  const fitting =
    shape === undefined
      ? all.find(({ type }) => type !== 'object' && type !== 'array')
      : all.find(({ type }) => type === shape);
  const own = dereference(shardlensSchema, schema);
  // A reading that belongs to the key as a whole, such as a set of layers, stands beside its alternatives.
  return {
    ...(fitting ?? all[0] ?? schema),
    ...(own['x-plan'] === undefined ? {} : { 'x-plan': own['x-plan'] }),
    ...(own['x-read'] === undefined ? {} : { 'x-read': own['x-read'] }),
  };
}

function walk(schema: JsonSchema, node: MapNode, collected: Collected): void {
  for (const entry of node.entries) {
    const property = schema.properties?.[entry.key];
    if (property === undefined) continue;
    const branch = branchFor(property, entry.value);
    if (branch['x-plan'] !== undefined) leaf(branch, entry, collected);
    else if (entry.value.kind === 'map') walk(branch, entry.value, collected);
  }
}

/** Layers written as sets (`moe_layers`, `first_dense_layers`, `sliding_layers`) become one flag a layer once the layer count is known. */
function readLayerSets(root: MapNode, collected: Collected): void {
  const model = mapOf(root, 'model');
  const count = collected.sections['model']?.['layers']?.value;
  if (model === undefined || typeof count !== 'number' || count > 4096) return;
  for (const [key, field] of [
    ['moe_layers', 'moeLayers'],
    ['sliding_layers', 'slidingLayers'],
  ] as const) {
    const entry = entryOf(model, key);
    const flags = entry === undefined || isUnresolved(entry.value) ? undefined : layerSet(entry.value, count);
    if (entry !== undefined && flags !== undefined) put(collected, `model.${field}`, written(flags, entry));
  }
  const dense = entryOf(model, 'first_dense_layers');
  const first = dense === undefined ? undefined : readValue({ type: 'integer' }, dense.value);
  if (dense !== undefined && typeof first === 'number' && collected.sections['model']?.['moeLayers'] === undefined) {
    const flags = Array.from({ length: count }, (_, layer) => layer >= first);
    put(collected, 'model.moeLayers', derived(flags, `layers ${first} to ${count - 1} have experts`, dense));
  }
}

function readLayout(root: MapNode, collected: Collected): Finding[] {
  const entry = entryOf(mapOf(root, 'parallelism'), 'layout');
  if (entry === undefined || isUnresolved(entry.value)) return [];
  const text = textOf(entry.value);
  const pipeline = collected.sections['layout']?.['pipeline']?.value;
  if (text === undefined) return [];
  const parsed = parsePipelineLayout(text);
  const fault = layoutFault(parsed, typeof pipeline === 'number' ? pipeline : undefined);
  if (fault !== undefined)
    return [
      remark({
        rule: 'pipeline-layout',
        severity: 'error',
        message: `\`${entry.key}\`: ${fault}.`,
        at: placeOf(entry),
      }),
    ];
  if ('fault' in parsed) return [];
  put(
    collected,
    'layout.stageLayers',
    written(
      parsed.stages.map(({ layers }) => layers),
      entry,
    ),
  );
  if (typeof pipeline === 'number' && parsed.stages.length > pipeline) {
    put(
      collected,
      'layout.virtualPipeline',
      derived(parsed.stages.length / pipeline, `${parsed.stages.length} stages over ${pipeline} pipeline ranks`, entry),
    );
  }
  return [];
}

/** Scales that both FP8 sections imply, so that a short plan says what a long one would. */
function implied(root: MapNode, collected: Collected): void {
  const recipe = entryOf(mapOf(mapOf(root, 'precision'), 'fp8'), 'recipe');
  const name = textOf(recipe?.value);
  if (recipe !== undefined && name !== undefined && name !== 'none') {
    put(
      collected,
      'precision.compute',
      derived(name === 'nvfp4' ? 'F4_E2M1' : 'F8_E4M3', `the ${name} recipe`, recipe),
    );
  }
  const chunks = collected.sections['layout']?.['virtualPipeline'];
  if (typeof chunks?.value === 'number' && chunks.value > 1)
    put(collected, 'pipeline.kind', {
      value: 'interleaved',
      origin: 'derived',
      note: 'several chunks a pipeline rank',
    });
  const modules = collected.sections['recompute']?.['modules'];
  if (modules !== undefined) {
    const { at, label } = modules;
    put(collected, 'recompute.granularity', {
      value: 'selective',
      origin: 'derived',
      note: 'modules are listed',
      ...(at === undefined ? {} : { at }),
      ...(label === undefined ? {} : { label }),
    });
  }
}

function readBlock(root: MapNode, collected: Collected): void {
  const entry = entryOf(mapOf(root, 'quantization'), 'block');
  if (entry === undefined || entry.value.kind !== 'list') return;
  const [rows, columns] = entry.value.items.map((item) => readValue({ type: 'integer' }, item));
  if (typeof rows !== 'number' || typeof columns !== 'number') return;
  put(collected, 'quantization.blockRows', written(rows, entry));
  put(collected, 'quantization.blockColumns', written(columns, entry));
}

function taskOf(root: MapNode): 'training' | 'serving' {
  const stated = textOf(entryOf(root, 'task')?.value);
  if (stated === 'training' || stated === 'serving') return stated;
  return entryOf(root, 'serving') === undefined ? 'training' : 'serving';
}

/** Sections whose defaults hold for any plan of a task; those of model, cluster and quantization come from presets and the model's own config. */
const DEFAULTED: Readonly<Record<'training' | 'serving', readonly string[]>> = {
  training: ['parallelism', 'schedule', 'precision', 'optimizer', 'recompute', 'experts'],
  serving: ['parallelism', 'serving', 'experts'],
};

function defaultsBelow(schema: JsonSchema, collected: Collected): void {
  for (const property of Object.values(schema.properties ?? {})) {
    const own = dereference(shardlensSchema, property);
    const field = own['x-plan'];
    if (field !== undefined && own.default !== undefined) {
      if (collected.unresolved.some(({ path }) => path === field)) continue;
      const value = typeof own.default === 'string' && own['x-read'] === 'dtype' ? dtypeOf(own.default) : own.default;
      if (value !== undefined) put(collected, field, byDefault<unknown>(value, "the plan format's default"));
    } else if (own.properties !== undefined) defaultsBelow(own, collected);
    else for (const branch of own.oneOf ?? []) if (branch.properties !== undefined) defaultsBelow(branch, collected);
  }
}

function fillDefaults(task: 'training' | 'serving', collected: Collected): void {
  const properties = shardlensSchema.properties ?? {};
  defaultsBelow(
    { properties: Object.fromEntries(DEFAULTED[task].map((key) => [key, properties[key] ?? {}])) },
    collected,
  );
}

/** A preset or a path that the model section starts from wins over its display name. */
function modelName(root: MapNode, collected: Collected): void {
  const section = mapOf(root, 'model');
  const start = entryOf(section, 'config') ?? entryOf(section, 'preset');
  const text = textOf(start?.value);
  const model = collected.sections['model'];
  if (start !== undefined && text !== undefined && model !== undefined) model['name'] = written(text, start);
}

/** A placement is nearer to the answer than the loads it would be computed from, whichever stands first in the file. */
function placementFile(root: MapNode, collected: Collected): void {
  const entry = entryOf(mapOf(root, 'experts'), 'placement');
  const text = entry === undefined || isUnresolved(entry.value) ? undefined : textOf(entry.value);
  const experts = collected.sections['experts'];
  if (entry === undefined || text === undefined || experts === undefined) return;
  experts['locationFile'] = written(text, entry);
  experts['algorithm'] ??= derived('custom', 'a placement file is given', entry);
}

function versionFindings(root: MapNode): Finding[] {
  const entry = entryOf(root, 'shardlens');
  if (entry === undefined || entry.value.kind !== 'scalar' || entry.value.unresolved || entry.value.value === 1)
    return [];
  const text = String(entry.value.value);
  return [
    remark({
      rule: 'schema-version',
      severity: 'warning',
      at: placeOf(entry),
      message: `\`shardlens: ${text}\` is a version of the plan format that this release does not know; it reads version 1.`,
      fixes: [replaceFix('Set the version to 1', entry.value.span, '1')],
    }),
  ];
}

function missingVersion(root: MapNode): Finding[] {
  const first = root.entries[0];
  if (first === undefined || entryOf(root, 'shardlens') !== undefined) return [];
  return [
    remark({
      rule: 'schema-version',
      severity: 'hint',
      at: keyPlaceOf(first),
      message: 'A plan says its format version: add `shardlens: 1`.',
    }),
  ];
}

function planOf(root: MapNode, collected: Collected): Plan {
  const section = <T>(name: (typeof SECTIONS)[number]): Planned<T> => (collected.sections[name] ?? {}) as Planned<T>;
  return {
    dialect: 'shardlens',
    task: taskOf(root),
    model: section<ModelSpec>('model'),
    quantization: section('quantization'),
    cluster: section('cluster'),
    layout: section('layout'),
    precision: section('precision'),
    optimizer: section('optimizer'),
    recompute: section('recompute'),
    batch: section('batch'),
    pipeline: section('pipeline'),
    serving: section('serving'),
    experts: section('experts'),
    unresolved: collected.unresolved,
  };
}

/**
 * Reads a Shardlens plan: the schema's `x-plan` annotations say which key fills which field of the Plan, so that a key added
 * to the schema needs no code here. Broken parts are left out of the plan and told as findings.
 */
export function readShardlens(tree: ConfigTree, _companion: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  const collected: Collected = { sections: emptySections(), unresolved: [], references: [] };
  if (root === undefined)
    return {
      plan: planOf({ kind: 'map', entries: [], span: { start: 0, end: 0 } }, collected),
      findings: [],
      references: [],
    };
  walk(shardlensSchema, root, collected);
  modelName(root, collected);
  readLayerSets(root, collected);
  readBlock(root, collected);
  placementFile(root, collected);
  const layout = readLayout(root, collected);
  implied(root, collected);
  // An empty flag section such as `sequence:` stays unset; booleans in quotes are read as people mean them.
  const sequence = entryOf(mapOf(root, 'parallelism'), 'sequence');
  if (sequence !== undefined && booleanOf(sequence.value) !== undefined)
    put(collected, 'layout.sequenceParallel', written(booleanOf(sequence.value), sequence));
  fillDefaults(taskOf(root), collected);
  const findings = [...versionFindings(root), ...missingVersion(root), ...structuralFindings(root), ...layout];
  return { plan: planOf(root, collected), findings, references: collected.references };
}
