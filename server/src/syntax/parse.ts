import { parseShellText } from './arguments';
import { guardParser, refuseDepth, refuseText } from './guards';
import { resolveReferences } from './interpolate';
import { parseJson } from './json';
import { parsePython } from './python';
import { parseToml } from './toml';
import type { ConfigLanguage, ConfigTree, SyntaxIssue } from './tree';
import { createParseMemory, parseYamlWith } from './yaml-blocks';

const PARSERS = {
  yaml: parseYamlWith,
  json: parseJson,
  toml: parseToml,
  arguments: parseShellText,
  python: parseProgram,
} as const;

/** Of all Python files only those that import a framework whose configs are Python are worth a parser. */
const PROGRAM = /^[ \t]*(?:from|import)[ \t]+torchtitan\b/m;

function parseProgram(text: string): ConfigTree {
  return PROGRAM.test(text) ? parsePython(text) : { language: 'python', text, documents: [], comments: [], issues: [] };
}

/** More faults than anyone reads, and few enough to keep. */
const MAX_ISSUES = 1000;

/** The parsers count a byte order mark as a character of the first value; it is a blank to them here, so that places stay. */
function withoutMark(text: string, language: ConfigLanguage): string {
  return language !== 'yaml' && text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text;
}

/** A fault that a parser sees behind the last character stands at the end of the text. */
function inside(issue: SyntaxIssue, text: string): SyntaxIssue {
  const { start, end } = issue.span;
  return end <= text.length ? issue : { ...issue, span: { start: Math.min(start, text.length), end: text.length } };
}

/**
 * Parses a document into one positioned tree. Never throws: every fault is an issue with a place. A caller that parses one
 * document again and again keeps a `memory` for it.
 */
export function parseConfig(text: string, language: ConfigLanguage, memory = createParseMemory()): ConfigTree {
  const empty: ConfigTree = { language, text, documents: [], comments: [], issues: [] };
  const refusal = refuseText(text, language);
  if (refusal !== undefined) return { ...empty, issues: [refusal] };
  return guardParser<ConfigTree>(
    () => {
      const tree = PARSERS[language](withoutMark(text, language), memory);
      const deep = tree.documents.map(refuseDepth).find((issue): issue is SyntaxIssue => issue !== undefined);
      if (deep !== undefined) return { ...empty, issues: [deep] };
      // Python has no references inside its texts.
      const documents =
        language === 'python' ? tree.documents : tree.documents.map((root) => resolveReferences(root, text));
      return { ...tree, text, documents, issues: tree.issues.slice(0, MAX_ISSUES).map((issue) => inside(issue, text)) };
    },
    (issue) => ({ ...empty, issues: [issue] }),
  );
}
