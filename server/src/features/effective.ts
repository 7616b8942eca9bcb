import type { Plan, ResolvedPlan, Sourced } from '../plan/plan';
import type { Analysis } from './analysis';
import { fieldsInDocument, planField, type PlacedField } from './fields';

const SECTIONS = [
  'layout',
  'batch',
  'pipeline',
  'recompute',
  'precision',
  'optimizer',
  'serving',
  'experts',
  'quantization',
  'cluster',
  'model',
] as const satisfies readonly (keyof ResolvedPlan & keyof Plan)[];

/** Values of a kind of job say nothing about another kind. */
const OF_TASK: Readonly<Record<Plan['task'], ReadonlySet<string>>> = {
  training: new Set(SECTIONS.filter((section) => section !== 'serving')),
  serving: new Set(['layout', 'serving', 'experts', 'quantization', 'cluster', 'model']),
  model: new Set(['quantization', 'model']),
};

/** One value that will be in effect, with what the file says where that is something else. */
export interface EffectiveValue {
  /** Dotted plan field, such as `serving.chunkedPrefill`. */
  readonly field: string;
  readonly value: string;
  /** What the file says, where the framework runs something else. */
  readonly written?: string;
  /** The file's own name of the value, where it has one. */
  readonly label?: string;
  /** Line from 1 in the open document. */
  readonly line?: number;
  readonly origin: Sourced<unknown>['origin'];
  readonly note?: string;
}

function scalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** A value on one line: scalars as they are, short lists joined, everything larger left to the panels. */
function shown(value: unknown): string | undefined {
  if (scalar(value)) return String(value);
  if (!Array.isArray(value) || value.length === 0 || !value.every(scalar)) return undefined;
  const text = value.join(', ');
  return text.length <= 60 ? `[${text}]` : `[${value.slice(0, 8).join(', ')}, … ${String(value.length)} in all]`;
}

function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/s, '$2');
}

/**
 * What stands in the text for a value that the framework changes: only values that a reader marked as derived with a reason,
 * so that a mere spelling (`bfloat16` for BF16) is never shown as a change.
 */
export function writtenInstead(
  analysis: Analysis,
  { value, at }: Pick<PlacedField, 'value' | 'at'>,
): string | undefined {
  if (value.origin !== 'derived' || value.note === undefined || at.uri !== undefined) return undefined;
  const text = unquoted(analysis.text.slice(at.span.start, at.span.end));
  const now = shown(value.value);
  const same = text === now || (text !== '' && Number(text) === value.value);
  return now === undefined || same || text === '' || text.length > 60 || text.includes('\n') ? undefined : text;
}

function provenance(
  analysis: Analysis,
  resolved: ResolvedPlan,
  field: string,
): Omit<EffectiveValue, 'field' | 'value'> {
  const source = planField(resolved.plan, field);
  if (source === undefined) {
    const assumption = resolved.assumptions.find((entry) => entry.field === field);
    return {
      origin: assumption?.origin ?? 'derived',
      ...(assumption?.note === undefined ? {} : { note: assumption.note }),
    };
  }
  const { origin, note, label, at } = source;
  const written = at === undefined ? undefined : writtenInstead(analysis, { value: source, at });
  return {
    origin,
    ...(note === undefined ? {} : { note }),
    ...(label === undefined ? {} : { label }),
    ...(at === undefined || at.uri !== undefined
      ? {}
      : { line: analysis.lines.positionAt((at.keySpan ?? at.span).start).line + 1 }),
    ...(written === undefined ? {} : { written }),
  };
}

/** Every value that will be in effect, in the field's own terms, with where each comes from. */
export function effectiveValues(analysis: Analysis): EffectiveValue[] {
  const { resolved } = analysis;
  if (resolved === undefined) return [];
  const wanted = OF_TASK[resolved.plan.task];
  // Latent attention has widths of its own: one width for all heads would mean nothing.
  const meaningless = resolved.model?.attention === 'mla' ? 'model.headDim' : undefined;
  return SECTIONS.filter((section) => wanted.has(section)).flatMap((section) =>
    Object.entries(resolved[section] ?? {}).flatMap(([key, raw]): EffectiveValue[] => {
      const field = `${section}.${key}`;
      const value = shown(raw);
      return value === undefined || field === meaningless
        ? []
        : [{ field, value, ...provenance(analysis, resolved, field) }];
    }),
  );
}

const WORDS: Readonly<Record<EffectiveValue['origin'], string>> = {
  file: 'file',
  companion: 'companion file',
  default: "the framework's default",
  derived: 'computed',
  assumed: 'assumed',
};

/** Origins that a note of their own says better. */
const SAID_BY_NOTE: ReadonlySet<EffectiveValue['origin']> = new Set(['companion', 'default']);

function remarkOf({ origin, line, label, written, note, field }: EffectiveValue): string {
  const place = line === undefined ? undefined : `line ${String(line)}`;
  const source = [label, place].filter((part) => part !== undefined).join(', ');
  const verb = label !== undefined && isSameQuantity(field, label) ? 'written' : 'which says';
  const change = written === undefined ? undefined : `${verb} ${written}`;
  const told = (source !== '' && origin === 'file') || (note !== undefined && SAID_BY_NOTE.has(origin));
  const parts = [source === '' ? undefined : source, change, told ? undefined : WORDS[origin], note];
  return parts.filter((part) => part !== undefined).join('; ');
}

/** True where a key names the very quantity that the plan field holds, and not one from which it follows. */
export function isSameQuantity(field: string, label: string): boolean {
  const words = (field.split('.').at(-1) ?? field).split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const key = label.toLowerCase();
  return !/(?:^|[-_])per[-_]/.test(key) && words.every((word) => key.includes(word));
}

/** The whole effective configuration as one YAML text to read, search and compare; values in front, reasons behind them. */
export function effectiveText(analysis: Analysis): string | undefined {
  const { dialect, resolved } = analysis;
  if (dialect === undefined || resolved === undefined) return undefined;
  const rows = effectiveValues(analysis);
  const width = Math.max(0, ...rows.map(({ field, value }) => field.length + value.length)) + 6;
  const changed = rows.filter(({ written }) => written !== undefined).length;
  const head = [
    `# What ${dialect.title} will run, with the source of every value.`,
    `# ${changed === 0 ? 'No written value is changed' : `${String(changed)} written value${changed === 1 ? ' is' : 's are'} changed`} by the framework.`,
  ];
  const body = SECTIONS.flatMap((section) => {
    const own = rows.filter(({ field }) => field.startsWith(`${section}.`));
    const lines = own.map((row) => {
      const text = `  ${row.field.slice(section.length + 1)}: ${row.value}`;
      return `${text.padEnd(Math.min(width, 48))}  # ${remarkOf(row)}`;
    });
    return own.length === 0 ? [] : ['', `${section}:`, ...lines];
  });
  const unknown = resolved.missing.length === 0 ? [] : ['', `# Not known: ${resolved.missing.join(', ')}`];
  return [...head, ...body, ...unknown, ''].join('\n');
}

/** Values of this document that will be something else once the framework has read them. */
export function changedFields(analysis: Analysis): readonly (PlacedField & { readonly written: string })[] {
  if (analysis.resolved === undefined) return [];
  return fieldsInDocument(analysis.resolved.plan).flatMap((field) => {
    const written = writtenInstead(analysis, field);
    return written === undefined ? [] : [{ ...field, written }];
  });
}
