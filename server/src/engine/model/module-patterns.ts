/** Says whether any of a list of module name patterns covers a module, by its full name. */
export type ModuleMatcher = (name: string) => boolean;

/** Wrappers of multimodal and hybrid checkpoints put other words before `layers`; patterns mean the same modules. */
const PREFIX = /^(?:(?:model\.)?language_model\.(?:model\.)?|backbone\.|transformer\.|model\.)/;

function canonical(name: string): string {
  const bare = name.replace(PREFIX, '');
  return bare.startsWith('layers.') || bare.startsWith('embed_tokens') || bare === 'norm' ? `model.${bare}` : bare;
}

function classEnd(pattern: string, open: number): number {
  const close = pattern.indexOf(']', open + 2);
  return close < 0 ? -1 : close;
}

function inClass(body: string, letter: string): boolean {
  const negated = body.startsWith('!') || body.startsWith('^');
  const set = negated ? body.slice(1) : body;
  for (let index = 0; index < set.length; index += 1) {
    const low = set[index] ?? '';
    const high = set[index + 1] === '-' && index + 2 < set.length ? (set[index + 2] ?? '') : low;
    if (letter >= low && letter <= high) return !negated;
    if (high !== low) index += 2;
  }
  return negated;
}

/**
 * Shell wildcards (`*`, `?`, `[0-9]`) over a whole text, as Python's fnmatch has them. Linear with one step back, so that no
 * pattern of an opened file can take long.
 */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    const letter = text[t] ?? '';
    const close = pattern[p] === '[' ? classEnd(pattern, p) : -1;
    if (pattern[p] === '*') {
      star = p;
      mark = t;
      p += 1;
    } else if (close > 0 && inClass(pattern.slice(p + 1, close), letter)) {
      p = close + 1;
      t += 1;
    } else if (close < 0 && p < pattern.length && (pattern[p] === '?' || pattern[p] === letter)) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      mark += 1;
      t = mark;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** A wildcard pattern covers the module it matches and everything below it. */
function globCovers(pattern: string, name: string): boolean {
  if (globMatches(pattern, name)) return true;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    if (globMatches(pattern, name.slice(0, dot))) return true;
  }
  return false;
}

const LONGEST_REGEX = 200;
const MOST_QUANTIFIERS = 5;

/**
 * A `re:` pattern of compressed-tensors, anchored at the start as Python's `re.match`. Undefined for what could run away on a
 * hostile file: a repeated group, many repetitions, or great length.
 */
function regexOf(body: string): RegExp | undefined {
  const repeatedGroup = /\)\s*[*+{]/.test(body);
  const quantifiers = body.match(/[*+{]/g)?.length ?? 0;
  if (repeatedGroup || quantifiers > MOST_QUANTIFIERS || body.length > LONGEST_REGEX) return undefined;
  try {
    return new RegExp(`^(?:${body})`);
  } catch {
    // Python's syntax is a little wider than JavaScript's; what cannot be compiled covers nothing.
    return undefined;
  }
}

/** True when the components of `literal` stand in a row among the components of `name`. */
function componentsWithin(literal: string, name: string): boolean {
  return `.${name}.`.includes(`.${literal}.`);
}

interface Patterns {
  /** Names with a layer number, looked up by every ancestor of a module. */
  readonly paths: ReadonlySet<string>;
  readonly literals: readonly string[];
  readonly globs: readonly string[];
  readonly regexes: readonly RegExp[];
}

function sorted(patterns: readonly string[]): Patterns {
  const paths = new Set<string>();
  const literals: string[] = [];
  const globs: string[] = [];
  const regexes: RegExp[] = [];
  for (const pattern of patterns) {
    if (pattern.startsWith('re:')) {
      const regex = regexOf(pattern.slice(3));
      if (regex !== undefined) regexes.push(regex);
    } else if (/[*?[]/.test(pattern)) globs.push(canonical(pattern));
    else if (/^(?:model|mtp)\.layers\.\d/.test(canonical(pattern))) paths.add(canonical(pattern));
    else if (pattern.length > 0) literals.push(canonical(pattern));
  }
  return { paths, literals, globs, regexes };
}

function underPath(paths: ReadonlySet<string>, name: string): boolean {
  if (paths.has(name)) return true;
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    if (paths.has(name.slice(0, dot))) return true;
  }
  return false;
}

/**
 * A matcher over the module patterns of quantization configs: plain names and parts of names (`lm_head`, `mlp.gate`,
 * `model.layers.0.self_attn`), wildcards (ModelOpt, gpt-oss) and `re:` expressions (compressed-tensors).
 */
export function moduleMatcher(patterns: readonly string[]): ModuleMatcher {
  const { paths, literals, globs, regexes } = sorted(patterns);
  if (patterns.length === 0) return () => false;
  return (name) =>
    underPath(paths, name) ||
    literals.some((literal) => componentsWithin(literal, name)) ||
    globs.some((glob) => globCovers(glob, name)) ||
    // Expressions are written against the wrapped name in multimodal checkpoints.
    regexes.some((regex) => regex.test(name) || regex.test(`language_model.${name}`));
}
