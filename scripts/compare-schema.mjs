// `node scripts/compare-schema.mjs SCHEMA SOURCE…`: what a newer release of a framework changed.
// SCHEMA is the name of a file in schemas/ without `.schema.json`; SOURCE are Python files or folders of the framework that
// define its settings (argparse, dataclasses, pydantic). Keys are compared without regard to `-` and `_`.
// Ends with 1 when something differs, so that a scheduled job can notice.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');

/** One spelling for `--tensor-parallel-size` and `tensor_parallel_size`. */
function canonical(name) {
  return name.replace(/^-+/, '').replaceAll('-', '_').toLowerCase();
}

/** Python defaults as JSON has them; undefined where an expression gives them. */
function literal(text) {
  const word = text?.trim();
  if (word === undefined || word === '') return undefined;
  if (word === 'True' || word === 'False') return word === 'True';
  if (word === 'None') return null;
  if (/^-?\d+(?:\.\d+)?(?:e-?\d+)?$/i.test(word)) return Number(word);
  return /^(["'])([^"']*)\1$/.exec(word)?.[2];
}

/** The arguments of a call that starts at `from`, brackets and strings respected. */
function callText(source, from) {
  let depth = 0;
  let quote = '';
  for (let at = from; at < source.length; at += 1) {
    const letter = source[at];
    if (quote !== '') {
      if (letter === '\\') at += 1;
      else if (letter === quote) quote = '';
    } else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === '(' || letter === '[' || letter === '{') depth += 1;
    else if (letter === ')' || letter === ']' || letter === '}') {
      depth -= 1;
      if (depth === 0) return source.slice(from + 1, at);
    }
  }
  return source.slice(from + 1);
}

/** Settings that Python source defines: name -> default (undefined where it is not a literal). */
export function settingsOf(source) {
  const found = new Map();
  for (const match of source.matchAll(/\badd_argument\s*\(/g)) {
    const call = callText(source, match.index + match[0].length - 1);
    const names = [...call.matchAll(/(["'])(--[\w-]+)\1/g)].map(([, , name]) => name);
    const value = literal(/\bdefault\s*=\s*([^,\n)]+)/.exec(call)?.[1]);
    for (const name of names) found.set(canonical(name), value);
  }
  for (const block of source.matchAll(/^class \w+[^\n]*:\n((?:[ \t]+[^\n]*\n|\n)*)/gm)) {
    const indent = /^([ \t]+)\S/m.exec(block[1])?.[1] ?? '    ';
    const field = new RegExp(`^${indent}([a-z]\\w*)\\s*:\\s*[^=\\n]+?(?:=\\s*(.*))?$`, 'gm');
    for (const [, name, text] of block[1].matchAll(field)) {
      const inner = /^(?:Field|field)\s*\(\s*(?:default\s*=\s*)?([^,)]+)/.exec(text ?? '')?.[1];
      found.set(canonical(name), literal(inner ?? text));
    }
  }
  return found;
}

/** Names of a schema with their defaults, at every depth; aliases and old names count as known. */
export function knownOf(schema) {
  const known = new Map();
  const visit = (node) => {
    if (node === null || typeof node !== 'object') return;
    for (const [name, value] of Object.entries(node.properties ?? {})) {
      known.set(canonical(name), value.default);
      for (const alias of value['x-aliases'] ?? []) known.set(canonical(alias), undefined);
      visit(value);
    }
    for (const part of Object.values(node.definitions ?? {})) visit(part);
    visit(node.items);
  };
  visit(schema);
  for (const part of ['x-removed', 'x-unsupported'])
    for (const name of Object.keys(schema[part] ?? {})) known.set(canonical(name), undefined);
  return known;
}

/** What the framework has and the schema lacks, the other way round, and literal defaults that differ. */
export function compare(known, settings) {
  const added = [...settings.keys()].filter((name) => !known.has(name)).sort();
  const gone = [...known.keys()].filter((name) => !settings.has(name)).sort();
  const changed = [...settings]
    .filter(([name, value]) => {
      const old = known.get(name);
      return value !== undefined && value !== null && old !== undefined && old !== null && old !== value;
    })
    .map(([name, value]) => `${name}: ${JSON.stringify(known.get(name))} -> ${JSON.stringify(value)}`)
    .sort();
  return { added, gone, changed };
}

function pythonFiles(place) {
  if (!statSync(place).isDirectory()) return [place];
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.py'))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function main([name, ...places]) {
  if (name === undefined || places.length === 0) {
    console.error('usage: node scripts/compare-schema.mjs SCHEMA SOURCE… (SCHEMA as in schemas/SCHEMA.schema.json)');
    return 2;
  }
  const schema = JSON.parse(readFileSync(path.join(root, 'schemas', `${name}.schema.json`), 'utf8'));
  const settings = new Map(places.flatMap(pythonFiles).flatMap((file) => [...settingsOf(readFileSync(file, 'utf8'))]));
  const { added, gone, changed } = compare(knownOf(schema), settings);
  const print = (title, lines) =>
    console.log([`${title}: ${lines.length}`, ...lines.map((line) => `  ${line}`)].join('\n'));
  print('New in the framework', added);
  print('No longer in the framework', gone);
  print('Other default', changed);
  return added.length + gone.length + changed.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = main(process.argv.slice(2));
