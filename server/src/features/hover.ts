import { MarkupKind, type Hover, type Position } from 'vscode-languageserver-types';
import { keyInfo, type KeyInfo } from '../dialects/schema';
import type { MemoryPart, RankClass } from '../engine/memory/report';
import type { Assumption } from '../plan/plan';
import { nodeAt } from '../syntax/query';
import type { Span } from '../syntax/tree';
import type { Analysis, FileLookup } from './analysis';
import { argumentInfo } from './arguments';
import { answersFor, gpuIsAssumed, peakClass } from './answers';
import { costLines } from './cost';
import { fieldsInDocument } from './fields';
import { count, gib } from './format';
import { servingCostLines } from './serving-cost';
import { placementLines } from './placement/hover';

const PART_NAMES: Readonly<Record<MemoryPart, string>> = {
  weights: 'weights',
  gradients: 'gradients',
  optimizer: 'optimizer',
  activations: 'activations',
  kvCache: 'KV cache',
  buffers: 'buffers',
  workspace: 'workspace',
};
const SHOWN_ASSUMPTIONS = 3;

interface Target {
  readonly field: string;
  readonly span: Span;
}

/** The plan value whose key or value is under `offset`; the smallest wins where one contains another. */
function fieldAt(analysis: Analysis, offset: number): Target | undefined {
  if (analysis.resolved === undefined) return undefined;
  const inside = (span: Span | undefined): span is Span =>
    span !== undefined && offset >= span.start && offset <= span.end;
  return fieldsInDocument(analysis.resolved.plan)
    .flatMap(({ field, at }) => {
      const span = inside(at.span) ? at.span : inside(at.keySpan) ? at.keySpan : undefined;
      return span === undefined ? [] : [{ field, span }];
    })
    .sort((a, b) => a.span.end - a.span.start - (b.span.end - b.span.start))[0];
}

/** Parts of the fullest rank as a two-row table: at most seven columns, empty parts left out. */
function partsTable(peak: RankClass): string[] {
  const parts = (Object.keys(PART_NAMES) as MemoryPart[]).filter((part) => peak.parts[part] > 0);
  if (parts.length === 0) return [];
  return [
    '',
    `| ${parts.map((part) => PART_NAMES[part]).join(' | ')} | total |`,
    `|${' ---: |'.repeat(parts.length + 1)}`,
    `| ${parts.map((part) => gib(peak.parts[part])).join(' | ')} | **${gib(peak.total)} GiB** |`,
  ];
}

function keyLines(info: KeyInfo): string[] {
  const facts = [
    info.default === undefined ? undefined : `Default \`${String(info.default)}\``,
    info.unit === undefined ? undefined : `unit: ${info.unit}`,
    info.enum === undefined || info.enum.length > 8
      ? undefined
      : `one of ${info.enum.map((value) => `\`${String(value)}\``).join(', ')}`,
  ].filter((fact): fact is string => fact !== undefined);
  return ['', [info.doc, facts.join(' · ')].filter((text) => text !== undefined && text.length > 0).join('  \n')];
}

function assumptionLines(assumptions: readonly Assumption[]): string[] {
  const assumed = assumptions.filter(({ origin }) => origin === 'assumed');
  if (assumed.length === 0) return [];
  const shown = assumed
    .slice(0, SHOWN_ASSUMPTIONS)
    .map(({ field, value }) => `${field} ${typeof value === 'number' ? count(value) : String(value)}`);
  const more = assumed.length > SHOWN_ASSUMPTIONS ? ` and ${assumed.length - SHOWN_ASSUMPTIONS} more` : '';
  return ['', `*Assumed:* ${shown.join(', ')}${more}`];
}

/** Values that the time of a step hangs on. */
const TIMED = /^(?:layout|batch|pipeline|cluster|precision|recompute|optimizer)\./;

/** Values that latency and throughput of a server hang on. */
const SERVED = /^(?:layout|serving|cluster|quantization|experts)\./;

/** What a value does to time: of a step, or of a request. */
function timeLines(analysis: Analysis, field: string | undefined): readonly string[] {
  if (field === undefined) return [];
  return [...(TIMED.test(field) ? costLines(analysis) : []), ...(SERVED.test(field) ? servingCostLines(analysis) : [])];
}

/** Keys about the placement of experts that fill no field of the plan. */
const EXPERT_KEY = /eplb|load.?balancer|num.?slots|expert.?placement|ep.?dispatch/i;

/** Hover at a position: the answer in the first line, then what the key itself decides, what it means, and how the bytes are made up. Null where there is nothing useful to say. */
export function hover(analysis: Analysis, position: Position, files: FileLookup = () => undefined): Hover | null {
  if (analysis.dialect === undefined || analysis.resolved === undefined) return null;
  const offset = analysis.lines.offsetAt(position);
  const target = fieldAt(analysis, offset);
  const node = nodeAt(analysis.tree, offset);
  const info =
    argumentInfo(analysis, offset) ?? (node === undefined ? undefined : keyInfo(analysis.dialect.id, node.path));
  if (target === undefined && info === undefined) return null;
  const about = target?.field ?? (EXPERT_KEY.test(info?.key ?? '') ? 'experts.algorithm' : undefined);
  const [first, ...rest] = [
    ...(target === undefined ? [] : answersFor(analysis, target.field)),
    ...(about === undefined ? [] : placementLines(analysis, about, files)),
    ...timeLines(analysis, target?.field),
  ];
  const lines: string[] = [];
  if (first !== undefined)
    lines.push(
      `**${first}**${gpuIsAssumed(analysis.resolved) && analysis.memory !== undefined ? ' (GPU assumed)' : ''}`,
    );
  for (const line of rest) lines.push('', line);
  // A hover is a few lines high: the table, which is the same on every key, comes after what the key means.
  if (info !== undefined) lines.push(...keyLines(info));
  const peak = peakClass(analysis);
  if (peak !== undefined && target !== undefined && analysis.resolved.plan.task !== 'model')
    lines.push(...partsTable(peak));
  if (target !== undefined) lines.push(...assumptionLines(analysis.resolved.assumptions));
  const text = lines.join('\n').trim();
  if (text.length === 0) return null;
  const span = target?.span ?? node?.span;
  return {
    contents: { kind: MarkupKind.Markdown, value: text },
    ...(span === undefined ? {} : { range: analysis.lines.rangeOf(span) }),
  };
}
