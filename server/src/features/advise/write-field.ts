import { keysOf } from '../../dialects/schema';
import { removeEntry, replaceValue, scalarText, setValue, type SyntaxEdit } from '../../syntax/edits';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import type { Analysis } from '../analysis';
import { planField } from '../fields';

/** What a field is to become in the text; `undefined` takes its key out. */
export type FieldValue = number | boolean | string | readonly number[] | undefined;

interface PlacedMap {
  readonly map: MapNode;
  readonly path: readonly string[];
}

const MOST_MAPS = 200;

/** Mappings that stand in the text themselves, outermost first. */
function mapsOf({ tree }: Analysis): PlacedMap[] {
  const out: PlacedMap[] = [];
  const visit = (node: ConfigNode, path: readonly string[]): void => {
    if (out.length >= MOST_MAPS || node.kind !== 'map' || node.definition !== undefined) return;
    out.push({ map: node, path });
    for (const { key, value } of node.entries) visit(value, [...path, key]);
  };
  const [root] = tree.documents;
  if (root !== undefined) visit(root, []);
  return out;
}

/** Keys that a writer takes where several fill one field. */
const PREFERRED: Readonly<Record<string, RegExp>> = {
  'layout.virtualPipeline': /num.virtual.stages|virtual_pipeline/,
  'optimizer.zeroStage': /use.distributed.optimizer|^stage$|zero/,
  'layout.stageLayers': /stage_layers/,
  'recompute.granularity': /recompute.granularity|^granularity$|^mode$|^recompute$|recompute_layer/,
};

/** The mapping and key that a field would be written under, where the file has a place for it. */
function homeOf(analysis: Analysis, field: string): { readonly map: MapNode; readonly key: string } | undefined {
  const dialect = analysis.dialect?.id ?? '';
  const [section = ''] = field.split('.');
  let fallback: { readonly map: MapNode; readonly key: string } | undefined;
  for (const { map, path } of mapsOf(analysis)) {
    const known = keysOf(dialect, path);
    const fitting = known.filter(({ planField: filled, deprecated }) => filled === field && deprecated === undefined);
    const found = fitting.find(({ key }) => PREFERRED[field]?.test(key) === true) ?? fitting[0];
    if (found === undefined) continue;
    const own = new Map(known.map(({ key, planField: filled }) => [key, filled]));
    if (map.entries.some(({ key }) => own.get(key)?.startsWith(`${section}.`) === true)) return { map, key: found.key };
    fallback ??= { map, key: found.key };
  }
  return fallback;
}

/** The entry that a plan value was read from, in the text itself. */
function entryOfField(
  analysis: Analysis,
  field: string,
): { readonly map: MapNode; readonly entry: Entry; readonly derived: boolean } | undefined {
  const source = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  const at = source?.at;
  if (at?.keySpan === undefined || at.uri !== undefined) return undefined;
  const start = at.keySpan.start;
  for (const { map } of mapsOf(analysis)) {
    const entry = map.entries.find(({ keySpan }) => keySpan.start === start);
    if (entry !== undefined) return { map, entry, derived: source?.origin === 'derived' };
  }
  return undefined;
}

function textOfValue(value: Exclude<FieldValue, undefined>, analysis: Analysis): string {
  return typeof value === 'object' ? `[${value.join(', ')}]` : scalarText(value, analysis.tree.language);
}

/** A number that stands bare in the text, such as an argument of a command line, is replaced where it stands. */
function replaceBare(analysis: Analysis, field: string, value: number): SyntaxEdit | undefined {
  const source = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  const at = source?.at;
  if (at === undefined || at.uri !== undefined || source?.origin === 'derived') return undefined;
  const raw = analysis.text.slice(at.span.start, at.span.end);
  const bare = /^(["']?)(\d+)\1$/.exec(raw);
  if (bare === null || Number(bare[2]) !== source?.value) return undefined;
  return { span: at.span, newText: `${bare[1] ?? ''}${String(value)}${bare[1] ?? ''}` };
}

/**
 * Edits that give a field another value: its own value is replaced where it stands, a missing key is added beside its neighbours.
 * Undefined where the file has no place for it, or where the value came about in another way than by one key.
 */
export function writeField(analysis: Analysis, field: string, value: FieldValue): readonly SyntaxEdit[] | undefined {
  const { text, tree } = analysis;
  const own = entryOfField(analysis, field);
  if (value === undefined) return own === undefined ? [] : removeEntry(own.map, own.entry.key, tree.language, text);
  if (own !== undefined && !own.derived) {
    if (own.entry.value.kind === 'scalar' && own.entry.value.unresolved) return undefined;
    // A number in quotes stays in quotes.
    const bare = typeof value === 'number' ? replaceBare(analysis, field, value) : undefined;
    return [bare ?? replaceValue(own.entry.value, textOfValue(value, analysis), text)];
  }
  const bare = typeof value === 'number' ? replaceBare(analysis, field, value) : undefined;
  if (bare !== undefined) return [bare];
  const home = homeOf(analysis, field);
  if (home === undefined) return undefined;
  if (typeof value !== 'object') {
    const edit = setValue(home.map, home.key, value, tree.language, text);
    return edit === undefined ? undefined : [edit];
  }
  // Edits know scalars; a list takes the place of one.
  const edit = setValue(home.map, home.key, 0, tree.language, text);
  if (edit === undefined) return undefined;
  return [{ ...edit, newText: edit.newText.replace(/0(\s*)$/, `${textOfValue(value, analysis)}$1`) }];
}

/** Edits that set a key of the outermost mapping, whatever it means to the plan. */
export function setRootKey({ tree, text }: Analysis, key: string, value: number | boolean | string): SyntaxEdit[] {
  const [root] = tree.documents;
  const edit = root?.kind === 'map' ? setValue(root, key, value, tree.language, text) : undefined;
  return edit === undefined ? [] : [edit];
}

/** The key that a field is written under, where the file has none yet. */
export function keyOfField(analysis: Analysis, field: string): string | undefined {
  return homeOf(analysis, field)?.key;
}

/** True when `writeField` has a place for the field. */
export function canWrite(analysis: Analysis, field: string): boolean {
  const own = entryOfField(analysis, field);
  if (own !== undefined && !own.derived) return !(own.entry.value.kind === 'scalar' && own.entry.value.unresolved);
  const source = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  if (typeof source?.value === 'number' && replaceBare(analysis, field, source.value) !== undefined) return true;
  return homeOf(analysis, field) !== undefined;
}

/** The text after edits; the order of edits at one place is kept. */
export function applyEdits(text: string, edits: readonly SyntaxEdit[]): string {
  const sorted = edits
    .map((edit, index) => ({ edit, index }))
    .sort((a, b) => a.edit.span.start - b.edit.span.start || a.index - b.index);
  let out = '';
  let at = 0;
  for (const { edit } of sorted) {
    if (edit.span.start < at) continue;
    out += text.slice(at, edit.span.start) + edit.newText;
    at = edit.span.end;
  }
  return out + text.slice(at);
}
