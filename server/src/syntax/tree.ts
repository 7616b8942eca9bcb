/** Half-open range of UTF-16 offsets into the document text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type ConfigLanguage = 'yaml' | 'json' | 'toml' | 'arguments' | 'python';

interface NodeBase {
  /** Where the value stands in the text. For an alias: the alias, not the anchor. */
  readonly span: Span;
  /** Where the value was written, when an alias or merge key brought it here from elsewhere. */
  readonly definition?: Span;
}

export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar';
  /** Integers beyond 2^53 stay exact as bigint. */
  readonly value: string | number | bigint | boolean | null;
  /** The source text of the scalar, quotes included. */
  readonly raw: string;
  /** True when the text holds an interpolation (`${…}`, `$(VAR)`, `{{ … }}`) that this document does not define: the value is unknown. */
  readonly unresolved: boolean;
}

export interface Entry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: ConfigNode;
}

/** The call of a program that made a mapping, such as `Trainer.Config(…)`: its keyword arguments are the entries. */
export interface CallMark {
  /** Dotted name of what was called, its import followed; empty for a literal mapping. */
  readonly callee: string;
  /** True where entries may be set that the text does not show, so that nothing follows from an absent one. */
  readonly open: boolean;
  /** The function or variable that holds the whole configuration; on the root alone. */
  readonly owner?: { readonly name: string; readonly nameSpan: Span; readonly span: Span };
}

export interface MapNode extends NodeBase {
  readonly kind: 'map';
  readonly call?: CallMark;
  /** In document order, merge keys already applied; a repeated key keeps the last value and is reported as an issue. */
  readonly entries: readonly Entry[];
}

export interface ListNode extends NodeBase {
  readonly kind: 'list';
  readonly items: readonly ConfigNode[];
}

export type ConfigNode = ScalarNode | MapNode | ListNode;

/** A fault of the syntax itself. Parsers never throw; every fault is data with a place. */
export interface SyntaxIssue {
  readonly code:
    'syntax' | 'duplicate-key' | 'merge-conflict' | 'too-large' | 'too-deep' | 'too-many-aliases' | 'binary';
  readonly message: string;
  readonly span: Span;
}

export interface Comment {
  /** Without the comment sign, trimmed. */
  readonly text: string;
  readonly span: Span;
}

/** One positioned tree for every language. */
export interface ConfigTree {
  readonly language: ConfigLanguage;
  readonly text: string;
  /** One root a YAML document; exactly one for other languages, none when nothing could be read. */
  readonly documents: readonly ConfigNode[];
  readonly comments: readonly Comment[];
  readonly issues: readonly SyntaxIssue[];
}
