import type { ErrorObject } from 'ajv';
import { shardlens as validate } from '../../generated/validators';
import type { Finding } from '../../plan/finding';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { remark, replaceFix } from '../common/findings';
import { branches, keysBelow, schemaAt, type JsonSchema } from '../common/json-schema';
import { isUnresolved, keyPlaceOf } from '../common/nodes';
import { closest } from '../common/spelling';
import { shardlensSchema } from '../schemas';

const DEEPEST = 64;

/** The tree as plain values for the validator; an interpolation becomes its text, which `located` then leaves alone. */
function plain(node: ConfigNode, depth = 0): unknown {
  if (depth > DEEPEST) return undefined;
  if (node.kind === 'list') return node.items.map((item) => plain(item, depth + 1));
  if (node.kind === 'map')
    return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value, depth + 1)]));
  return typeof node.value === 'bigint' ? Number(node.value) : node.value;
}

interface Located {
  readonly node: ConfigNode;
  readonly entry?: Entry;
  readonly path: readonly string[];
}

/** The tree node that an ajv instance path points at. */
function located(root: MapNode, instancePath: string): Located | undefined {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  let node: ConfigNode = root;
  let entry: Entry | undefined;
  for (const step of path) {
    if (node.kind === 'map') {
      entry = node.entries.findLast(({ key }) => key === step);
      if (entry === undefined) return undefined;
      node = entry.value;
    } else {
      const item: ConfigNode | undefined = node.kind === 'list' ? node.items[Number(step)] : undefined;
      if (item === undefined) return undefined;
      node = item;
    }
  }
  return { node, path, ...(entry === undefined ? {} : { entry }) };
}

function unknownKey(found: Located, key: string): Finding | undefined {
  const entry = found.node.kind === 'map' ? found.node.entries.find((candidate) => candidate.key === key) : undefined;
  if (entry === undefined) return undefined;
  const schema = schemaAt(shardlensSchema, found.path);
  const known = schema === undefined ? [] : keysBelow(shardlensSchema, schema).map(([name]) => name);
  const meant = closest(key, known);
  const where = found.path.length === 0 ? 'a plan' : `\`${found.path.join('.')}\``;
  return remark({
    rule: 'unknown-key',
    severity: 'warning',
    at: keyPlaceOf(entry),
    message: `\`${key}\` is no key of ${where} and changes nothing${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`,
    ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
  });
}

const ARTICLES: Readonly<Record<string, string>> = {
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  string: 'text',
  array: 'a list',
  object: 'a section of keys',
};

function expected(schemas: readonly JsonSchema[]): string {
  const words = schemas.map(({ type, enum: choices }) =>
    choices === undefined
      ? (ARTICLES[String(type)] ?? String(type))
      : `one of ${choices.slice(0, 8).join(', ')}${choices.length > 8 ? ', …' : ''}`,
  );
  return [...new Set(words)].join(', or ');
}

function label(found: Located): string {
  const text = found.node.kind === 'scalar' ? found.node.raw.slice(0, 40) : found.node.kind === 'list' ? '[…]' : '{…}';
  return `\`${found.entry?.key ?? found.path.at(-1) ?? 'the plan'}: ${text}\``;
}

/** The one finding about a value that fits none of the schemas its key allows. */
function wrongValue(found: Located): Finding | undefined {
  const schema = schemaAt(shardlensSchema, found.path);
  if (schema === undefined) return undefined;
  const all = branches(shardlensSchema, schema);
  const scalar = found.node.kind === 'scalar' ? found.node : undefined;
  const choices = all.flatMap((branch) => branch.enum ?? []).map(String);
  const meant = scalar !== undefined && typeof scalar.value === 'string' ? closest(scalar.value, choices) : undefined;
  const numeric =
    scalar !== undefined &&
    typeof scalar.value === 'number' &&
    all.some(({ type }) => type === 'integer' || type === 'number');
  const low = all.find(({ minimum }) => minimum !== undefined)?.minimum;
  const high = all.find(({ maximum }) => maximum !== undefined)?.maximum;
  const rule = choices.length > 0 || numeric ? 'wrong-value' : 'wrong-type';
  const wants =
    numeric && low !== undefined && Number(scalar.value) < low
      ? `at least ${low}`
      : numeric && high !== undefined && Number(scalar.value) > high
        ? `at most ${high}`
        : expected(all);
  return remark({
    rule,
    severity: 'error',
    at: { span: found.node.span, ...(found.entry === undefined ? {} : { keySpan: found.entry.keySpan }) },
    message: `${label(found)} is not allowed here: it must be ${wants}${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`,
    ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, found.node.span, meant)] }),
  });
}

/** True for errors that only restate what a deeper one says: alternatives that did not fit, and what a `oneOf` makes of them. */
function restates(error: ErrorObject, all: readonly ErrorObject[]): boolean {
  return (
    all.some((other) => other !== error && other.instancePath.startsWith(`${error.instancePath}/`)) &&
    error.keyword !== 'additionalProperties'
  );
}

/** Findings about the structure of a plan: unknown keys, wrong types, values outside their choices; one a place. */
export function structuralFindings(root: MapNode): Finding[] {
  if (validate(plain(root)) === true) return [];
  const errors = validate.errors ?? [];
  const seen = new Set<string>();
  return errors.flatMap((error): Finding[] => {
    const found = located(root, error.instancePath);
    if (found === undefined || (isUnresolved(found.node) && found.node.kind === 'scalar') || restates(error, errors))
      return [];
    // The version has rules of its own, and a section may lawfully be left empty.
    if (
      error.keyword === 'required' ||
      error.instancePath === '/shardlens' ||
      (found.node.kind === 'scalar' && found.node.value === null)
    )
      return [];
    const unknown =
      error.keyword === 'additionalProperties'
        ? String((error.params as { additionalProperty: unknown }).additionalProperty)
        : undefined;
    const key = `${error.instancePath} ${unknown ?? ''}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const result = unknown === undefined ? wrongValue(found) : unknownKey(found, unknown);
    return result === undefined ? [] : [result];
  });
}
