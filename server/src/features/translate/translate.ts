import type { Analysis } from '../analysis';
import { dialects } from '../../dialects/registry';
import type { ConfigNode, ConfigTree, Span } from '../../syntax/tree';
import { writeConfig, type WritableTree } from '../../syntax/write';
import { fieldsInDocument } from '../fields';
import { differences, reread } from './differences';
import { servingTargets } from './serving-targets';
import type { Setting, TranslationTarget } from './target';
import { trainingTargets } from './training-targets';

export const translationTargets: readonly TranslationTarget[] = [...trainingTargets, ...servingTargets];

export interface Translation {
  readonly title: string;
  readonly language: TranslationTarget['language'];
  readonly text: string;
  /** What has no counterpart, a sentence each. */
  readonly report: readonly string[];
  /** Dotted plan fields that the report names as changed or left out. */
  readonly told: readonly string[];
}

function treeOf(settings: readonly Setting[]): WritableTree {
  const root: WritableTree = {};
  for (const { path, value } of settings) {
    const last = path.at(-1);
    if (last === undefined) continue;
    let here = root;
    for (const part of path.slice(0, -1)) {
      const next = here[part];
      const below: WritableTree = typeof next === 'object' && !Array.isArray(next) ? (next as WritableTree) : {};
      here[part] = below;
      here = below;
    }
    here[last] = value;
  }
  return root;
}

/** How a person wrote a value; nothing for lists and tables, which say more than a line holds. */
function written({ text }: ConfigTree, { start, end }: Span): string {
  const words = text.slice(start, end).trim();
  return /^[^\n{[]{1,40}$/.test(words) ? ` (${words})` : '';
}

/**
 * What the file states and the target does not carry: sizes of the model are the model's own, Adam is what all of them step with,
 * a switch that is off takes nothing away, and what only follows from a line that is carried, or from `auto`, is lost nowhere.
 */
function lost(analysis: Analysis, settings: readonly Setting[], told: ReadonlySet<string>): string[] {
  const carried = new Set(settings.flatMap(({ fields }) => fields));
  const plan = analysis.resolved?.plan;
  if (plan === undefined) return [];
  const placed = fieldsInDocument(plan);
  const kept = new Set([...carried, ...told]);
  const lines = new Set(placed.filter(({ field }) => kept.has(field)).map(({ at }) => at.span.start));
  const seen = new Set<string>();
  return placed.flatMap(({ field, value, at }) => {
    const name = value.label ?? field;
    const words = written(analysis.tree, at.span);
    const silent =
      kept.has(field) ||
      /^(?:model|cluster)\./.test(field) ||
      value.value === false ||
      (field === 'optimizer.kind' && value.value === 'adam') ||
      (value.origin === 'derived' && (lines.has(at.span.start) || /^ \(["']?auto["']?\)$/.test(words)));
    if (silent || seen.has(name)) return [];
    seen.add(name);
    return [`${name}${words} has no counterpart and was left out.`];
  });
}

/** Dotted names of what stands in a file and is no part of the plan; a section without any is named by itself. */
function unread(node: ConfigNode, spans: readonly { readonly start: number; readonly end: number }[]): string[] {
  if (node.kind !== 'map') return [];
  return node.entries.flatMap(({ key, keySpan, value }) => {
    const inside = spans.filter(
      ({ start, end }) => end > keySpan.start && start < Math.max(keySpan.end, value.span.end),
    );
    if (inside.length === 0) return [key];
    return value.kind === 'map' ? unread(value, inside).map((name) => `${key}.${name}`) : [];
  });
}

const NAMED = 12;

/** Switches of what the layout itself says, written anew where the target has them. */
const SWITCH = /^(?:enable[-_](?:dp[-_]attention|eplb)|shardlens|task)$/;

/** Says that a file holds more than a layout, so that nobody takes the answer for the whole of it. */
function besides({ tree, resolved }: Analysis): string[] {
  const spans = resolved === undefined ? [] : fieldsInDocument(resolved.plan).map(({ at }) => at.span);
  const [root] = tree.documents;
  const names =
    tree.documents.length === 1 && root !== undefined ? unread(root, spans).filter((name) => !SWITCH.test(name)) : [];
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return names.length === 0
    ? []
    : [`Not part of the layout, and left for you to carry over: ${names.slice(0, NAMED).join(', ')}${more}.`];
}

/** The targets that a file's layout can be written in: those of the same task, other than its own. */
export function targetsFor(analysis: Analysis): readonly TranslationTarget[] {
  const { resolved } = analysis;
  if (resolved?.layout === undefined || resolved.plan.task === 'model') return [];
  return translationTargets.filter(
    ({ task, dialect }) => task === resolved.plan.task && dialect !== resolved.plan.dialect,
  );
}

/** The layout of one file in another framework's words, with everything that could not be said. Undefined where no such target fits. */
export function translate(analysis: Analysis, dialect: string): Translation | undefined {
  const target = targetsFor(analysis).find((one) => one.dialect === dialect);
  if (target === undefined || analysis.resolved === undefined) return undefined;
  const { settings, losses } = target.draft(analysis.resolved);
  const body = writeConfig(target.language, treeOf(settings));
  const reader = dialects.find(({ id }) => id === dialect);
  const changed =
    reader === undefined ? [] : differences(analysis.resolved, reread(analysis.resolved, target, reader, body));
  const own = new Set(losses.flatMap(({ fields }) => fields));
  const all = [...losses, ...changed.filter(({ fields }) => !fields.some((field) => own.has(field)))];
  const told = new Set(all.flatMap(({ fields }) => fields));
  const report = [...all.map(({ text }) => text), ...lost(analysis, settings, told), ...besides(analysis)];
  const name = analysis.uri.split('/').at(-1) ?? 'the file';
  const head = [`Layout of ${name} (${analysis.dialect?.title ?? ''}) as ${target.title}.`, ...report];
  // JSON has no comments; the caller shows the report beside it.
  const text = target.language === 'json' ? body : `${head.map((line) => `# ${line}`).join('\n')}\n${body}`;
  return { title: target.title, language: target.language, text, report, told: [...told] };
}
