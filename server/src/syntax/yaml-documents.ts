import { parseAllDocuments, visit, type Document } from 'yaml';
import { blankLines } from './lines-of-text';
import type { SyntaxIssue } from './tree';
import { halfTypedLines, joinQuoted } from './yaml-text';

/** Sentences for the faults that a person makes while typing; the parser's own words name productions of the grammar. */
const MESSAGES: Readonly<Record<string, string>> = {
  MULTILINE_IMPLICIT_KEY: 'This line is neither a key with a colon nor the rest of the value above.',
  BLOCK_AS_IMPLICIT_KEY: 'A second colon, or a deeper line, follows a value that was complete.',
  TAB_AS_INDENT: 'Tabs cannot indent YAML.',
  BAD_INDENT: 'The indentation fits no line above.',
};

function issueOf({ code, message, pos }: Document.Parsed['errors'][number]): SyntaxIssue {
  const span = { start: pos[0], end: Math.max(pos[0] + 1, pos[1]) };
  if (message.includes('call stack')) {
    return { code: 'too-deep', message: 'The file is nested too deeply to be analysed.', span };
  }
  return { code: 'syntax', message: MESSAGES[code] ?? `${message.replace(/\.?$/, '.')}`, span };
}

/** Documents as parsed from `text`, which may differ from the file in characters that were masked to help the parser. */
interface Parsed {
  readonly text: string;
  readonly documents: readonly Document.Parsed[];
  readonly issues: readonly SyntaxIssue[];
}

/** Texts up to this length are parsed again to find out what heals a fault. */
const MAX_HEALED = 128 * 1024;
const MAX_TRIES = 8;

function parseDocuments(text: string): Parsed {
  // Every scalar stays text here: what it means to Python is decided in one place, `plainValue`.
  const parsed = parseAllDocuments(text, {
    schema: 'failsafe',
    uniqueKeys: false,
    strict: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const documents = Array.isArray(parsed) ? (parsed as Document.Parsed[]) : [];
  return { text, documents, issues: documents.flatMap(({ errors }) => errors.map(issueOf)) };
}

/** Where the quoted scalar begins that holds or ends at an offset. */
function quoteBefore(documents: readonly Document.Parsed[], offset: number): number | undefined {
  let found: number | undefined;
  for (const document of documents) {
    visit(document, {
      Scalar: (_, node) => {
        const start = node.range?.[0] ?? Infinity;
        if ((node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') && start < offset)
          found = Math.max(found ?? 0, start);
      },
    });
  }
  return found;
}

/** Quoted texts with lines that YAML 1.2 wants indented further are joined, as long as that helps. */
function healQuotes(first: Parsed): Parsed {
  let parsed = first;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const document = parsed.documents.find(({ errors }) => errors.length > 0);
    const fault = document?.errors.find(({ message }) => /^Missing closing ["']quote/.test(message));
    const open = fault === undefined ? undefined : quoteBefore(parsed.documents, fault.pos[0]);
    const joined = open === undefined ? undefined : joinQuoted(parsed.text, open);
    if (joined === undefined) return parsed;
    const next = parseDocuments(joined);
    if (next.issues.length >= parsed.issues.length) return parsed;
    parsed = next;
  }
  return parsed;
}

/** A word that is being typed must not take the lines around it down: such lines are left out where that helps the rest. */
function healHalfTyped(parsed: Parsed): Parsed {
  const [first] = parsed.issues;
  const lines = first === undefined ? [] : halfTypedLines(parsed.text, parsed.issues);
  if (first === undefined || lines.length === 0) return parsed;
  const healed = parseDocuments(blankLines(parsed.text, lines));
  return healed.issues.length < parsed.issues.length ? { ...healed, issues: [first, ...healed.issues] } : parsed;
}

/** Parses all documents of a text; faults that cost more than their own line are healed where that is possible. */
export function parseHealing(text: string): Parsed {
  const parsed = parseDocuments(text);
  if (parsed.issues.length === 0 || text.length > MAX_HEALED) return parsed;
  const quotes = healQuotes(parsed);
  return quotes.issues.length === 0 ? quotes : healHalfTyped(quotes);
}
