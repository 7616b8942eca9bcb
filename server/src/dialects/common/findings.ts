import type { Edit, Finding, Fix } from '../../plan/finding';
import type { Place } from '../../plan/plan';
import type { Entry, Span } from '../../syntax/tree';

/** What one finding of a dialect is made of; a place is required, because spelling always stands somewhere. */
export type Remark = Omit<Finding, 'rule' | 'at'> & { readonly rule: DialectRule; readonly at: Place };

/** Ids of what a dialect can say about reading a file. Arithmetic on the plan has its own rules. */
export type DialectRule =
  | 'unknown-key'
  | 'misspelled-key'
  | 'ambiguous-key'
  | 'removed-key'
  | 'deprecated-key'
  | 'unsupported-key'
  | 'wrong-type'
  | 'wrong-value'
  | 'null-value'
  | 'exclusive-keys'
  | 'not-a-map'
  | 'pipeline-layout'
  | 'schema-version';

/** One line for each rule, for the index of rules. */
export const DIALECT_RULES: Readonly<Record<DialectRule, string>> = {
  'unknown-key': 'The framework has no such key.',
  'misspelled-key': 'A known key, spelled in a way that this kind of file does not accept.',
  'ambiguous-key': 'An abbreviation that fits more than one key.',
  'removed-key': 'A key that the framework no longer has.',
  'deprecated-key': 'A key that still works and has a successor.',
  'unsupported-key': 'A key of the command line that a config file may not hold.',
  'wrong-type': 'A value of a type that the key does not take.',
  'wrong-value': 'A value outside the choices of the key.',
  'null-value': 'A key without a value, which the framework reads as the word None.',
  'exclusive-keys': 'Keys that the framework refuses side by side.',
  'not-a-map': 'The file is no mapping of keys to values.',
  'pipeline-layout': 'A pipeline layout that the framework cannot read or refuses.',
  'schema-version': 'A plan written for another version of the plan format.',
};

export function remark(parts: Remark): Finding {
  return { ...parts };
}

/** A fix that replaces the text of one span. */
export function replaceFix(title: string, span: Span, newText: string, preferred = true): Fix {
  const edits: Edit[] = [{ at: { span }, newText }];
  return { title, edits, ...(preferred ? { preferred } : {}) };
}

/** Puts another word in place of a value, in the quotes that it has. Nothing for values that are no scalars. */
export function wordFix(entry: Entry | undefined, word: string): readonly Fix[] {
  if (entry?.value.kind !== 'scalar') return [];
  const quote = /^["']/.exec(entry.value.raw)?.[0] ?? '';
  return [replaceFix(`Change to \`${word}\``, entry.value.span, `${quote}${word}${quote}`)];
}

/** `a, b and c`, at most `limit` of them. */
export function listed(words: readonly string[], limit = 6): string {
  if (words.length <= 1) return words.join('');
  if (words.length > limit) return `${words.slice(0, limit).join(', ')} and ${words.length - limit} more`;
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
