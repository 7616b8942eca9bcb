/** What a person can say of a file: keys of the `# shardlens:` comment and of an entry in `.shardlens.yaml`. */
export type DirectiveKey = 'model' | 'gpu' | 'nodes';

/** Keys to set, in the order in which they are written. */
export type DirectiveValues = readonly (readonly [key: DirectiveKey, value: string])[];

/** One replacement in a text; `start === end` inserts. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A `# shardlens:` comment on a line of its own; one that silences rules is another matter. */
const COMMENT = /^[ \t]*#[ \t]*shardlens:(?![ \t]*ignore\b)[^\r\n]*/m;

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function withPair(line: string, key: string, value: string): string {
  const written = /\s/.test(value) ? `"${value}"` : value;
  const pair = new RegExp(`(\\s|:)${key}\\s*=\\s*(?:"[^"]*"|\\S+)`);
  // The replacement is a function: a value may hold `$`, which a replacement text would read as a sign.
  return pair.test(line)
    ? line.replace(pair, (_, before: string) => `${before}${key}=${written}`)
    : `${line.trimEnd()} ${key}=${written}`;
}

/** The change that makes the comment of a YAML or TOML text say `values`; other keys keep their values and order. */
export function commentChange(text: string, values: DirectiveValues): TextChange {
  const match = COMMENT.exec(text);
  const line = values.reduce((now, [key, value]) => withPair(now, key, value), match?.[0] ?? '# shardlens:');
  if (match !== null) return { start: match.index, end: match.index + match[0].length, text: line };
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  return { start: 0, end: 0, text: `${line}${newline}` };
}

/** A path as a glob that matches it alone. */
export function globOf(path: string): string {
  return path.replace(/[\\*?[\]{}()!+@]/g, '\\$&');
}

function yamlValue(value: string): string {
  return /^[\w./-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Entries of a flow map, `a: 1, b: 2`, with keys set. */
function withFlowKeys(body: string, values: DirectiveValues): string {
  return values.reduce((now, [key, value]) => {
    const pair = new RegExp(`(^|[,\\s])${key}[ \\t]*:[ \\t]*("[^"]*"|'[^']*'|[^,}]*[^,}\\s])`);
    if (pair.test(now)) return now.replace(pair, (_, before: string) => `${before}${key}: ${yamlValue(value)}`);
    const rest = now.trim();
    return rest === '' ? ` ${key}: ${yamlValue(value)} ` : ` ${rest.replace(/,$/, '')}, ${key}: ${yamlValue(value)} `;
  }, body);
}

/** Lines of a block map with keys set, new ones at its end in its own indentation. */
function withBlockKeys(body: string, values: DirectiveValues, newline: string): string {
  const indent = /^[ \t]+(?=[^\s#])/m.exec(body)?.[0] ?? '  ';
  return values.reduce((now, [key, value]) => {
    const line = new RegExp(`^([ \\t]+${key}[ \\t]*:)[^\\r\\n]*`, 'm');
    if (line.test(now)) return now.replace(line, (_, head: string) => `${head} ${yamlValue(value)}`);
    const ended = now === '' || now.endsWith('\n') ? now : `${now}${newline}`;
    return `${ended}${indent}${key}: ${yamlValue(value)}${newline}`;
  }, body);
}

/**
 * The change that makes a `.shardlens.yaml` say `values` of the files that `glob` matches. An entry of the same glob is changed where it
 * stands, in its own style; otherwise one is added at the end, because the last matching glob wins a key.
 */
export function workspaceChange(text: string, glob: string, values: DirectiveValues): TextChange {
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const name = `(?:${[JSON.stringify(glob), `'${glob}'`, glob].map(escaped).join('|')})`;
  const flow = new RegExp(`^${name}[ \\t]*:[ \\t]*\\{([^{}\\r\\n]*)\\}`, 'm').exec(text);
  if (flow !== null) {
    const body = flow[1] ?? '';
    const start = flow.index + flow[0].length - 1 - body.length;
    return { start, end: start + body.length, text: withFlowKeys(body, values) };
  }
  const block = new RegExp(`^${name}[ \\t]*:[ \\t]*(?:#[^\\r\\n]*)?(?:\\r?\\n|$)`, 'm').exec(text);
  if (block !== null) {
    const start = block.index + block[0].length;
    const body = /^(?:[ \t]+\S[^\r\n]*(?:\r?\n|$))*/.exec(text.slice(start))?.[0] ?? '';
    const before = block[0].endsWith('\n') ? '' : newline;
    return { start, end: start + body.length, text: `${before}${withBlockKeys(body, values, newline)}` };
  }
  const before = text === '' || text.endsWith('\n') ? '' : newline;
  const entry = `${JSON.stringify(glob)}:${newline}${withBlockKeys('', values, newline)}`;
  return { start: text.length, end: text.length, text: `${before}${entry}` };
}
