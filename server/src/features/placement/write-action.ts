import { CodeActionKind, type CodeAction, type Range, type TextDocumentEdit } from 'vscode-languageserver-types';
import { mean, wastedSlots } from '../../engine/placement/judge';
import { balance } from '../../engine/placement/place';
import { mapOf, rootMap } from '../../dialects/common/nodes';
import type { PlacementTextFormat } from '../../protocol/placement-text';
import { setValue, type SyntaxEdit } from '../../syntax/edits';
import type { MapNode } from '../../syntax/tree';
import type { Analysis, FileLookup } from '../analysis';
import { overlaps } from '../code-actions';
import { directiveSpan } from '../directives';
import { rangeOfPlace } from '../diagnostics';
import { fieldsInDocument } from '../fields';
import { fileNameOf, resolveBeside } from '../uris';
import { placementFileText } from './export';
import { placementShape, plannedPlacement, type PlannedPlacement } from './planned';
import { placementSources, type PlacementSources } from './sources';

/** How a framework's config names a placement: the format of the file and the key that points at it. */
interface Target {
  readonly format: PlacementTextFormat;
  readonly extension: string;
  readonly edit: (analysis: Analysis, root: MapNode, path: string) => SyntaxEdit | undefined;
}

function set(analysis: Analysis, map: MapNode | undefined, key: string, path: string): SyntaxEdit | undefined {
  return map === undefined ? undefined : setValue(map, key, path, analysis.tree.language, analysis.text);
}

/** A key as this file spells it: SGLang takes dashes and underscores. */
function spelled(root: MapNode, key: string): string {
  const other = key.replaceAll('-', '_');
  if (root.entries.some((entry) => entry.key === key)) return key;
  return root.entries.some((entry) => entry.key === other || entry.key.includes('_')) ? other : key;
}

const TARGETS: Readonly<Record<string, Target>> = {
  sglang: {
    format: 'sglang',
    extension: 'json',
    edit: (analysis, root, path) => set(analysis, root, spelled(root, 'init-expert-location'), path),
  },
  'tensorrt-llm': {
    format: 'trtllm',
    extension: 'yaml',
    edit: (analysis, root, path) => set(analysis, mapOf(root, 'moe_config'), 'load_balancer', path),
  },
  shardlens: {
    format: 'sglang',
    extension: 'json',
    edit: (analysis, root, path) => set(analysis, mapOf(root, 'experts'), 'placement', path),
  },
};

const FIELDS = /^(?:experts\.|layout\.expert$)/;

/** What the client hands back to have the edit made. */
interface ActionData {
  readonly shardlens: 'write-placement';
  readonly uri: string;
}

export function isWriteAction(data: unknown): data is ActionData {
  return typeof data === 'object' && data !== null && (data as Partial<ActionData>).shardlens === 'write-placement';
}

/**
 * The offer to write a better placement beside the file, when the range is on a key about experts and loads are known. Placing is left to
 * the resolve request: a light bulb asks at every move of the cursor.
 */
export function writePlacementActions(analysis: Analysis, range: Range, files: FileLookup): CodeAction[] {
  const { resolved } = analysis;
  if (resolved === undefined || TARGETS[resolved.plan.dialect] === undefined) return [];
  const onKey = fieldsInDocument(resolved.plan).some(
    ({ field, at }) =>
      FIELDS.test(field) &&
      (overlaps(rangeOfPlace(analysis, at), range) ||
        (at.keySpan !== undefined && overlaps(analysis.lines.rangeOf(at.keySpan), range))),
  );
  const shape = onKey ? placementShape(resolved) : undefined;
  if (shape === undefined || shape.slots % shape.gpus !== 0) return [];
  const { loads, loadsName } = placementSources(analysis, files);
  if (loads === undefined) return [];
  const data: ActionData = { shardlens: 'write-placement', uri: analysis.uri };
  return [
    {
      title: `Write an optimised expert placement for ${loadsName ?? 'these loads'} beside this file`,
      kind: CodeActionKind.QuickFix,
      data,
    },
  ];
}

function better(analysis: Analysis, sources: PlacementSources): PlannedPlacement | undefined {
  if (analysis.resolved === undefined) return undefined;
  const several = (sources.loads?.steps?.length ?? 0) > 1;
  const planned = plannedPlacement(analysis.resolved, sources, several ? 'optimized-robust' : 'optimized');
  return planned === undefined || 'rule' in planned ? undefined : planned;
}

function summary({ placement, loads }: PlannedPlacement, current: PlannedPlacement | undefined): string {
  const even = mean(balance(placement, loads).meanOverMax);
  const before =
    current === undefined ? '' : `, ${mean(balance(current.placement, loads).meanOverMax).toFixed(3)} before`;
  const wasted = wastedSlots(placement);
  return `balance ${even.toFixed(3)}${before}${wasted === 0 ? '' : `, ${wasted} duplicates`}`;
}

/**
 * A comment that keeps the recording named when the key that named it is to point elsewhere: without it the new placement would be judged
 * as if every expert were equally busy. Only languages with `#` comments have a place for it.
 */
function keepLoads(analysis: Analysis, { loadsUri }: PlacementSources): SyntaxEdit | undefined {
  const { tree, references, text } = analysis;
  const named = references.filter(({ uri }) => uri === loadsUri);
  const path = named[0]?.target;
  if (path === undefined || named.some(({ kind }) => kind === 'loads')) return undefined;
  if (tree.language !== 'yaml' && tree.language !== 'toml') return undefined;
  const pair = `loads=${/\s/.test(path) ? `"${path}"` : path}`;
  const comment = directiveSpan(tree);
  if (comment !== undefined && !/ignore\b/.test(text.slice(comment.start, comment.end)))
    return { span: { start: comment.end, end: comment.end }, newText: ` ${pair}` };
  return { span: { start: 0, end: 0 }, newText: `# shardlens: ${pair}${text.includes('\r\n') ? '\r\n' : '\n'}` };
}

/** The same action with its edit: the new file, and the key of the config that points at it. */
export function resolveWriteAction(analysis: Analysis, action: CodeAction, files: FileLookup): CodeAction {
  const { resolved } = analysis;
  const target = resolved === undefined ? undefined : TARGETS[resolved.plan.dialect];
  const root = rootMap(analysis.tree);
  const sources = placementSources(analysis, files);
  const planned = better(analysis, sources);
  if (resolved?.model === undefined || target === undefined || root === undefined || planned === undefined)
    return action;
  const name = `${fileNameOf(analysis.uri).replace(/\.[^.]*$/, '')}.experts.${target.extension}`;
  const uri = resolveBeside(analysis.uri, name);
  const edit = target.edit(analysis, root, `./${name}`);
  if (uri === undefined || edit === undefined) return action;
  const text = placementFileText(target.format, planned.placement, {
    firstLayer: planned.firstLayer,
    layers: resolved.model.layers,
  });
  const start = { line: 0, character: 0 };
  const current = plannedPlacement(resolved, sources);
  const write: TextDocumentEdit = {
    textDocument: { uri, version: null },
    edits: [{ range: { start, end: start }, newText: text }],
  };
  const point: TextDocumentEdit = {
    textDocument: { uri: analysis.uri, version: analysis.version },
    edits: [keepLoads(analysis, sources), edit]
      .filter((change) => change !== undefined)
      .map(({ span, newText }) => ({ range: analysis.lines.rangeOf(span), newText })),
  };
  return {
    ...action,
    title: `${action.title} (${summary(planned, current === undefined || 'rule' in current ? undefined : current)})`,
    edit: { documentChanges: [{ kind: 'create', uri, options: { overwrite: true } }, write, point] },
  };
}
