import { splitShell, type Command, type Word } from './shell-words';

/** A command with the variables of its own script put in. */
export interface ShellCommand {
  readonly words: readonly Word[];
  /** Variables known where the command stands, and those set for it alone. */
  readonly variables: ReadonlyMap<string, readonly Word[]>;
  /** False where a variable that nothing here defines may hold further arguments. */
  readonly complete: boolean;
}

type Values = Map<string, readonly Word[] | undefined>;

interface Block {
  readonly before: Map<string, readonly Word[] | undefined>;
  readonly touched: Set<string>;
}

const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)(\+?)=/;
const OPENS = new Set(['if', 'for', 'while', 'until', 'case', 'select']);
const ALTERNATES = new Set(['else', 'elif']);
const CLOSES = new Set(['fi', 'done', 'esac']);
const LEADS = new Set([
  'then',
  'do',
  'else',
  '{',
  '(',
  '!',
  'export',
  'local',
  'readonly',
  'declare',
  'typeset',
  'time',
]);
/** More words than any launch has: what grows beyond is a script that feeds on itself. */
const MOST_WORDS = 4096;
const MOST_CHARACTERS = 1 << 14;

function slice(word: Word, from: number): Word {
  const starts = word.starts.slice(from);
  const ends = word.ends.slice(from);
  const start = starts[0] ?? word.span.end;
  return { ...word, text: word.text.slice(from), starts, ends, span: { start, end: Math.max(start, word.span.end) } };
}

/** `$((a * b))` of whole numbers: `*`, `/`, `%` before `+` and `-`. Undefined for anything else. */
function arithmetic(text: string, lookup: (name: string) => string | undefined): number | undefined {
  const terms = text
    .replace(
      /\$\{([A-Za-z_]\w*)\}|\$?([A-Za-z_]\w*)/g,
      (_all, braced: string, plain: string) => lookup(braced ?? plain) ?? '?',
    )
    .replace(/\s+/g, '');
  if (!/^\d+([-+*/%]\d+)*$/.test(terms)) return undefined;
  const tokens = terms.match(/\d+|[-+*/%]/g) ?? [];
  let sum = 0;
  let product = Number(tokens[0]);
  for (let i = 1; i < tokens.length; i += 2) {
    const operator = tokens[i];
    const value = Number(tokens[i + 1]);
    if (operator === '+' || operator === '-') {
      sum += product;
      product = operator === '+' ? value : -value;
    } else if (operator === '*') product *= value;
    else if (value === 0) return undefined;
    else product = operator === '/' ? Math.trunc(product / value) : product % value;
  }
  const result = sum + product;
  return Number.isSafeInteger(result) ? result : undefined;
}

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `$(NAME)` as Kubernetes writes it, `$((…))`. */
const REFERENCE =
  /\$\(\(([^()]*)\)\)|\$\{([A-Za-z_]\w*|\d)(?::?[-=]([^{}]*))?\}|\$\(([A-Za-z_]\w*)\)|\$([A-Za-z_]\w*)/g;
const WHOLE_ARRAY = /^\$\{([A-Za-z_]\w*)\[[@*]\]\}$/;
const WHOLE = /^\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))$/;

function textOf(values: Values, name: string): { readonly text: string; readonly word: Word } | undefined {
  const words = values.get(name);
  const [word] = words ?? [];
  return word === undefined || words?.length !== 1 || word.unresolved ? undefined : { text: word.text, word };
}

/** Arguments in one text, some of them perhaps unknown: they are arguments all the same. */
function argumentsOf(values: Values, name: string): Word | undefined {
  const words = values.get(name);
  const [word] = words ?? [];
  return words?.length === 1 && word !== undefined && /\s/.test(word.text) ? word : undefined;
}

type Piece = Pick<Word, 'text' | 'starts' | 'ends'>;

/** Characters `from` to `to` of a word, at their own places. */
function pieceOf(word: Word, from: number, to: number): Piece {
  return { text: word.text.slice(from, to), starts: word.starts.slice(from, to), ends: word.ends.slice(from, to) };
}

/** A value in place of characters `from` to `to`: all of it stands where the reference stands. */
function inPlace(word: Word, from: number, to: number, value: string): Piece {
  const start = word.starts[from] ?? word.span.start;
  const end = word.ends[to - 1] ?? word.span.end;
  const places = Array.from({ length: value.length }, () => 0);
  return { text: value, starts: places.map(() => start), ends: places.map(() => end) };
}

/** Variables that schedulers set: a default behind them is for runs without one. */
const SCHEDULED =
  /^(?:SLURM|OMPI|PMIX?|PET|LSB|PBS|MLP|LWS|RBG|VC|AZ)_|^(?:WORLD_SIZE|NNODES?|NUM_NODES|NODE_COUNT|(?:NODE_|LOCAL_)?RANK|LOCAL_WORLD_SIZE)$/;

/** What one reference becomes; undefined where nothing here says it. */
function referred(
  match: RegExpExecArray,
  word: Word,
  values: Values,
): { piece: Piece; source?: Word; whole: boolean } | undefined {
  const [all, sum, braced, otherwise, kubernetes, plain] = match;
  const put = (value: string): Piece => inPlace(word, match.index, match.index + all.length, value);
  if (sum !== undefined) {
    const value = arithmetic(sum, (name) => textOf(values, name)?.text);
    return value === undefined ? undefined : { piece: put(String(value)), whole: true };
  }
  const name = braced ?? kubernetes ?? plain ?? '';
  const bag = argumentsOf(values, name);
  // Arguments keep the places at which they were written: that is where one would change them.
  if (bag !== undefined) return { piece: bag, source: bag, whole: !bag.unresolved };
  const found = textOf(values, name);
  const open = values.has(name) || SCHEDULED.test(name);
  const value = found?.text ?? (open ? undefined : otherwise?.replace(/^(["'])(.*)\1$/, '$2'));
  if (value === undefined || /[$`]/.test(value)) return undefined;
  return { piece: put(value), whole: true, ...(found === undefined ? {} : { source: found.word }) };
}

/** One word with its references filled in; it stays unresolved where one is unknown. */
function fill(word: Word, values: Values): Word {
  if (!word.unresolved) return word;
  const pieces: Piece[] = [];
  const sources: (Word | undefined)[] = [];
  let known = true;
  let length = 0;
  let at = 0;
  for (const match of word.text.matchAll(REFERENCE)) {
    const found = referred(match, word, values);
    known &&= found?.whole === true;
    if (found === undefined) continue;
    pieces.push(pieceOf(word, at, match.index), found.piece);
    sources.push(found.source);
    at = match.index + match[0].length;
    length += found.piece.text.length;
    if (length > MOST_CHARACTERS) return word;
  }
  if (pieces.length === 0) return word;
  pieces.push(pieceOf(word, at, word.text.length));
  const text = pieces.map((piece) => piece.text).join('');
  const filled = { ...word, text, starts: pieces.flatMap((p) => p.starts), ends: pieces.flatMap((p) => p.ends) };
  if (!known || /\$[({A-Za-z_@*\d]|`|\{\{/.test(text))
    return sources.some((source) => source !== undefined && /\s/.test(source.text)) ? filled : word;
  const [source] = sources;
  const definition = sources.length === 1 && source !== undefined ? (source.definition ?? source.span) : word.span;
  return { ...filled, unresolved: false, definition };
}

/** A word as the words that the shell makes of it: arrays and unquoted text fall apart. */
function expand(word: Word, values: Values, quoted: boolean): readonly Word[] {
  if (!word.unresolved) return [word];
  const array = WHOLE_ARRAY.exec(word.text)?.[1];
  if (array !== undefined) return values.get(array) ?? [word];
  const [, braced, plain] = WHOLE.exec(word.text) ?? [];
  const name = braced ?? plain;
  const words = name === undefined ? undefined : values.get(name);
  const [only] = words ?? [];
  if (!quoted && words?.length === 1 && only !== undefined && /\s/.test(only.text)) {
    const parts = splitShell({ text: only.text, starts: only.starts, ends: only.ends }).flat();
    return parts.map((part) => fill(part, values));
  }
  return [fill(word, values)];
}

function expandAll(words: readonly Word[], values: Values, text: string): Word[] {
  const out: Word[] = [];
  for (const word of words) {
    if (out.length > MOST_WORDS) break;
    out.push(...expand(word, values, text[word.span.start] === '"'));
  }
  return out;
}

/** Arguments that a branch may have added to: those from before it, and a word that stands for what is unknown. */
function openEnded(words: readonly Word[] | undefined): readonly Word[] | undefined {
  const [first] = words ?? [];
  if (words === undefined || first === undefined || (words.length === 1 && !/\s/.test(first.text))) return undefined;
  const rest: Word = { ...first, text: '$@', starts: [], ends: [], unresolved: true };
  if (words.length > 1) return [...words, rest];
  const more = ' $@';
  const at = [...more].map(() => first.span.start);
  return [{ ...joined(first, { ...rest, text: more, starts: at, ends: at }) }];
}

class Script {
  readonly values: Values;
  readonly blocks: Block[] = [];

  constructor(given: ReadonlyMap<string, readonly Word[]>) {
    this.values = new Map(given);
  }

  set(name: string, value: readonly Word[] | undefined): void {
    const block = this.blocks.at(-1);
    if (block !== undefined && !block.touched.has(name)) {
      block.before.set(name, this.values.get(name));
      block.touched.add(name);
    }
    this.values.set(name, value);
  }

  open(): void {
    this.blocks.push({ before: new Map(), touched: new Set() });
  }

  /** Another branch begins: what the last one set never happened there. */
  alternate(): void {
    const block = this.blocks.at(-1);
    for (const [name, value] of block?.before ?? []) this.values.set(name, value);
  }

  /** After a branch nobody knows which way was taken. */
  close(): void {
    const block = this.blocks.pop();
    for (const name of block?.touched ?? []) this.set(name, openEnded(block?.before.get(name)));
  }
}

/** Takes keywords off the front of a command and follows the blocks that they open and close. */
function unwrap(command: Command, script: Script): readonly Word[] {
  let words = command;
  for (let first = words[0]?.text; first !== undefined; first = words[0]?.text) {
    if (OPENS.has(first)) {
      script.open();
      if (first === 'for' && words[1] !== undefined) script.set(words[1].text, undefined);
      if (first === 'for' || first === 'select' || first === 'case')
        return first === 'case' ? afterArm(words, script) : [];
    } else if (ALTERNATES.has(first)) script.alternate();
    else if (CLOSES.has(first)) script.close();
    else if (/^[^($=]+\)$/.test(first) && script.blocks.length > 0) script.alternate();
    else if (!LEADS.has(first)) break;
    words = words.slice(1);
  }
  return words;
}

function afterArm(words: readonly Word[], script: Script): readonly Word[] {
  const arm = words.findIndex(({ text }) => text === 'in');
  const rest = arm < 0 ? [] : words.slice(arm + 1);
  return rest.length === 0 ? [] : unwrap(rest, script);
}

/** `$(cd "$(dirname "$0")" && pwd)` and its like: the folder that the script lies in. */
const OWN_FOLDER = /^(?:\$\(|`)[^|;]*\bdirname\b[^|;]*(?:\$\{?0\}?|BASH_SOURCE)[^|;]*(?:\)|`)$/;

function beside(word: Word): Word {
  return word.unresolved && OWN_FOLDER.test(word.text)
    ? { ...word, ...inPlace(word, 0, word.text.length, '.'), unresolved: false, definition: word.span }
    : word;
}

/** Takes the assignments off the front; gives back what follows them. */
function assign(words: readonly Word[], script: Script, text: string): { rest: readonly Word[]; own: Values } {
  const own: Values = new Map();
  let index = 0;
  for (; index < words.length; index += 1) {
    const word = words[index];
    const [all, name = '', plus] = word === undefined ? [] : (ASSIGNMENT.exec(word.text) ?? []);
    if (word === undefined || all === undefined) break;
    const before = plus === '+' ? script.values.get(name) : [];
    if (word.text === `${all}(`) {
      const items = expandAll(words.slice(index + 1), script.values, text);
      own.set(name, before === undefined && plus === '+' ? undefined : [...(before ?? []), ...items]);
      index = words.length;
      break;
    }
    const value = fill(beside(slice(word, all.length)), script.values);
    const [first] = before ?? [];
    if (plus !== '+') own.set(name, [value]);
    else own.set(name, first === undefined || before?.length !== 1 ? undefined : [joined(first, value)]);
  }
  return { rest: words.slice(index), own };
}

function joined(a: Word, b: Word): Word {
  return {
    ...a,
    text: a.text + b.text,
    starts: [...a.starts, ...b.starts],
    ends: [...a.ends, ...b.ends],
    unresolved: a.unresolved || b.unresolved,
  };
}

/** True where words may be missing: something unknown stands where an option could. */
function isOpen(words: readonly Word[]): boolean {
  return words.some(
    (word, i) =>
      word.unresolved &&
      (WHOLE_ARRAY.test(word.text) ||
        /^\$[@*]$|^\$\{[@*]\}$/.test(word.text) ||
        (WHOLE.test(word.text) && !/^-/.test(words[i - 1]?.text ?? ''))),
  );
}

/**
 * Puts the variables that a script sets into its commands, in the order of the text and without running it: assignments, arrays, defaults
 * (`${X:-8}`), whole-number arithmetic. What branches, loops, arguments or other programs decide stays unknown.
 * `given` are variables from outside, such as the environment of a container. Source of the rules: POSIX.1-2017, Shell Command Language, 2.6 and 2.9.
 */
export function resolveCommands(
  commands: readonly Command[],
  text: string,
  given: ReadonlyMap<string, readonly Word[]> = new Map(),
): ShellCommand[] {
  const script = new Script(given);
  return commands.flatMap((command): ShellCommand[] => {
    const { rest, own } = assign(unwrap(command, script), script, text);
    if (rest.length === 0) {
      for (const [name, value] of own) script.set(name, value);
      return [];
    }
    const words = expandAll(rest, script.values, text);
    const variables = new Map<string, readonly Word[]>();
    for (const [name, value] of [...script.values, ...own]) if (value !== undefined) variables.set(name, value);
    return [{ words, variables, complete: !isOpen(words) }];
  });
}
