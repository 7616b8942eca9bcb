import type { ConfigNode, ConfigTree, Entry, MapNode, ScalarNode, Span } from '../../syntax/tree';
import { childOf, entryOf, isScalar, textOf } from '../common/nodes';
import { laterFlavors, pythonSchema, titanFlavors } from './schema-data';

/** One configuration that a Python file builds. */
export interface PythonConfig {
  /** Function or variable that holds it. */
  readonly name: string;
  readonly nameSpan: Span;
  /** Where it is written; what it takes over from another function stands outside. */
  readonly span: Span;
  /** The file's own keywords. */
  readonly root: MapNode;
  /** The same job in the sections that the TOML files had. */
  readonly job: MapNode;
}

const TRAINER = /(?:^|\.)\w*Trainer\.Config$/;
const PARALLELISM = /(?:^|\.)ParallelismConfig$/;

/** Imported from torchtitan, or from beside the file, as the registries inside torchtitan do. */
function isTitan(callee: string): boolean {
  return callee.startsWith('torchtitan.') || callee.startsWith('.');
}

function calleeOf(node: ConfigNode | undefined): string {
  return node?.kind === 'map' ? (node.call?.callee ?? '') : '';
}

function isTrainer(node: ConfigNode): boolean {
  const callee = calleeOf(node);
  return isTitan(callee) && (TRAINER.test(callee) || isBase(node));
}

/** What a registry of another file gave, with changes on top. */
function isBase(node: ConfigNode): boolean {
  return /^torchtitan\.[\w.]*config_registry\.\w+$/.test(calleeOf(node));
}

/** A parallelism section that stands alone is a job of which nothing else is known. */
function jobRoot(root: ConfigNode): MapNode | undefined {
  if (root.kind !== 'map') return undefined;
  if (isTrainer(root)) return root;
  const callee = calleeOf(root);
  if (!callee.startsWith('torchtitan.') || !PARALLELISM.test(callee)) return undefined;
  const entry: Entry = { key: 'parallelism', keySpan: { start: root.span.start, end: root.span.start }, value: root };
  return { ...root, entries: [entry], call: { callee, open: true } };
}

function unresolved(span: Span): ScalarNode {
  return { kind: 'scalar', value: '', raw: '', span, unresolved: true };
}

function placed(key: string, value: ConfigNode): Entry {
  return { key, keySpan: value.span, value };
}

function word(text: string, at: Span): ScalarNode {
  return { kind: 'scalar', value: text, raw: text, span: at, unresolved: false };
}

/** What a call gives is not known where a plain value belongs. */
export function plainEntries(entries: readonly Entry[]): Entry[] {
  return entries.map((entry) =>
    entry.value.kind === 'map' && (entry.value.call?.callee ?? '') !== ''
      ? { ...entry, value: unresolved(entry.value.span) }
      : entry,
  );
}

/** A section with all keys that may be set where the text does not show it. */
function section(root: MapNode, name: string): Entry | undefined {
  const entry = entryOf(root, name);
  const node = entry?.value;
  const open = node === undefined ? root.call?.open === true : node.kind !== 'map' || node.call?.open === true;
  if (entry !== undefined && node?.kind === 'map' && !open)
    return { ...entry, value: { ...node, entries: plainEntries(node.entries) } };
  if (!open) return entry;
  const own = node?.kind === 'map' ? plainEntries(node.entries) : [];
  const span = entry?.keySpan ?? { start: root.span.start, end: root.span.start };
  const hidden = Object.keys(pythonSchema.properties?.[name]?.properties ?? {})
    .filter((key) => !own.some((known) => known.key === key))
    .map((key) => ({ key, keySpan: span, value: unresolved(span) }));
  return { key: name, keySpan: span, value: { kind: 'map', span, entries: [...own, ...hidden] } };
}

/** Classes of activation checkpointing, and the mode of the TOML files that each is. */
const MODES: readonly (readonly [RegExp, string])[] = [
  [/\bSelectiveAC\.Config$/, 'selective'],
  [/\bFullAC\.Config$/, 'full'],
  [/\bMemoryBudgetAC\.Config$/, 'memory_budget'],
];

function recompute(root: MapNode): Entry | undefined {
  const entry = entryOf(root, 'activation_checkpoint');
  if (entry === undefined && root.call?.open !== true) return undefined;
  const node = entry?.value;
  const callee = calleeOf(node);
  if (/\bActivationCheckpointConfig$/.test(callee)) return entry;
  const known = MODES.find(([pattern]) => pattern.test(callee))?.[1];
  const mode = known ?? (isScalar(node) && node.value === null && !node.unresolved ? 'none' : undefined);
  const span = node?.span ?? root.span;
  const at = entry === undefined ? unresolved(span) : mode === undefined ? unresolved(span) : word(mode, span);
  const inner: Entry = { key: 'mode', keySpan: entry?.keySpan ?? span, value: at };
  // Selective checkpointing by class keeps the results of operators, never whole layers.
  const option = mode === 'selective' ? [{ ...inner, key: 'selective_ac_option', value: word('op', span) }] : [];
  return {
    key: 'activation_checkpoint',
    keySpan: inner.keySpan,
    value: { kind: 'map', span, entries: [inner, ...option] },
  };
}

/** Converters by class, under the names of the TOML files. */
const CONVERTERS: readonly (readonly [RegExp, string])[] = [
  [/Float8Linear/, 'quantize.linear.float8'],
  [/Float8GroupedExperts/, 'quantize.grouped_mm.float8'],
  [/MXFP8Linear/, 'quantize.linear.mx'],
  [/MXFP8GroupedExperts/, 'quantize.grouped_mm.mx'],
  [/./, 'other'],
];

function convertersOf(spec: MapNode): Entry | undefined {
  const entry = entryOf(spec, 'converters');
  if (entry?.value.kind !== 'list') return entry;
  const items = entry.value.items.map((item) => {
    const name = CONVERTERS.find(([pattern]) => pattern.test(calleeOf(item)))?.[1];
    return name === undefined ? unresolved(item.span) : word(name, item.span);
  });
  return { ...entry, value: { ...entry.value, items } };
}

/** Flavor of a call of a model registry. */
function flavorEntry(spec: ConfigNode | undefined): Entry | undefined {
  return entryOf(spec, 'flavor') ?? entryOf(spec, '0');
}

function isRegistry(spec: ConfigNode | undefined): spec is MapNode {
  return /(?:^|\.)model_registry$/.test(calleeOf(spec));
}

const FAMILIES = [...new Set([...Object.keys(titanFlavors), ...Object.keys(laterFlavors)])].sort(
  (a, b) => b.length - a.length,
);

function familyIn(text: string): string | undefined {
  return FAMILIES.find((family) => new RegExp(`(?:^|[^a-z0-9])${family}(?![a-z0-9])`).test(text));
}

/** The family that most functions of a file are named after: a registry holds the jobs of one model. */
function commonFamily(tree: ConfigTree): string | undefined {
  const counts = new Map<string, number>();
  for (const root of tree.documents) {
    const family = root.kind === 'map' ? familyIn(root.call?.owner?.name ?? '') : undefined;
    if (family !== undefined) counts.set(family, (counts.get(family) ?? 0) + 1);
  }
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  return best !== undefined && best[1] * 2 > tree.documents.length ? best[0] : undefined;
}

/** The model's package: of the import that the registry came by, or what the functions are named after. */
function familyOf(spec: MapNode, name: string, common: string | undefined): string | undefined {
  const callee = calleeOf(spec);
  const imported = /^torchtitan\.(?:models|experiments)\.([\w.]+)\.model_registry$/.exec(callee)?.[1];
  if (imported !== undefined) return imported.split('.').at(-1);
  return callee === '.model_registry' ? (familyIn(name) ?? common) : undefined;
}

function modelSection(root: MapNode, name: string, common: string | undefined): Entry {
  const entry = entryOf(root, 'model_spec');
  const spec = entry?.value;
  const at = entry?.keySpan ?? { start: root.span.start, end: root.span.start };
  const flavor = isRegistry(spec) ? flavorEntry(spec) : undefined;
  const family = isRegistry(spec) ? familyOf(spec, name, common) : undefined;
  const place = flavor?.value.span ?? at;
  const converters = isRegistry(spec) ? convertersOf(spec) : undefined;
  const entries: Entry[] = [
    placed('name', family === undefined ? unresolved(place) : word(family, place)),
    { key: 'flavor', keySpan: place, value: flavor?.value ?? unresolved(place) },
    ...(converters === undefined ? (isRegistry(spec) ? [] : [placed('converters', unresolved(at))]) : [converters]),
  ];
  return { key: 'model', keySpan: at, value: { kind: 'map', span: place, entries } };
}

/** Sections that mean the same in both forms. */
const SAME = ['parallelism', 'training', 'compile', 'debug', 'lr_scheduler', 'checkpoint'] as const;

function jobOf(root: MapNode, name: string, common: string | undefined): MapNode {
  const sections = SAME.map((key) => section(root, key)).filter((entry) => entry !== undefined);
  const ac = recompute(root);
  return {
    kind: 'map',
    span: root.span,
    entries: [modelSection(root, name, common), ...sections, ...(ac === undefined ? [] : [ac])],
  };
}

/** The configurations of a Python file that torchtitan would train; nothing for any other file. */
export function pythonConfigs(tree: ConfigTree): PythonConfig[] {
  if (tree.language !== 'python') return [];
  const common = commonFamily(tree);
  return tree.documents.flatMap((document) => {
    const root = jobRoot(document);
    const owner = document.kind === 'map' ? document.call?.owner : undefined;
    if (root === undefined || owner === undefined) return [];
    return [{ ...owner, root, job: jobOf(root, owner.name, common) }];
  });
}

/** Text of a value of the root, such as the folder of the tokenizer. */
export function rootText({ root }: PythonConfig, key: string): string | undefined {
  return textOf(childOf(root, key));
}
