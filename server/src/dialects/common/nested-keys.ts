import type { Finding, Severity, SourceReference } from '../../plan/finding';
import type { ConfigNode, Entry, MapNode, ScalarNode } from '../../syntax/tree';
import { remark, replaceFix, wordFix } from './findings';
import { branches, schemaOfKey, type JsonSchema } from './json-schema';
import { isUnresolved, keyPlaceOf, placeOf, pythonBoolean } from './nodes';
import { closest } from './spelling';

/** How one framework takes keys and values that its configuration classes do not have. */
export interface KeyPolicy {
  readonly framework: string;
  readonly source: SourceReference;
  /** What happens to an unknown key, as the end of a sentence: `which refuses the file`. */
  readonly refuses: string;
  /** Severity of an unknown key that is near a known one. */
  readonly near: Severity;
  /** Severity of any other unknown key. */
  readonly far: Severity;
  /** Severity of a value whose type or word does not fit. */
  readonly value: Severity;
  /** Classes that turn quoted numbers and switches into what the field wants, as Pydantic does. */
  readonly coerces?: boolean;
  /** Keys by dotted path that something else judges. */
  readonly leave?: ReadonlySet<string>;
}

type Step = { readonly path: readonly string[]; readonly entry: Entry; readonly schema: JsonSchema };

function propertiesOf(root: JsonSchema, schema: JsonSchema): readonly string[] {
  return branches(root, schema).flatMap(({ properties }) => Object.keys(properties ?? {}));
}

/** Where else in the whole configuration a key of this name stands, when in one place only. */
function elsewhere(root: JsonSchema, key: string): string | undefined {
  const found: string[] = [];
  const visit = (schema: JsonSchema, path: readonly string[]): void => {
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      if (name === key) found.push([...path, name].join('.'));
      if (path.length < 3) visit(inner, [...path, name]);
    }
  };
  visit(root, []);
  return found.length === 1 ? found[0] : undefined;
}

function unknownKey(root: JsonSchema, siblings: readonly string[], { path, entry }: Step, policy: KeyPolicy): Finding {
  const meant = closest(entry.key, siblings);
  const place = meant === undefined ? elsewhere(root, entry.key) : undefined;
  const section = path.slice(0, -1).join('.');
  const hint =
    meant !== undefined
      ? `; did you mean \`${meant}\`?`
      : place === undefined
        ? '.'
        : `; \`${place}\` is the key of that name.`;
  return remark({
    rule: 'unknown-key',
    severity: meant === undefined ? policy.far : policy.near,
    at: keyPlaceOf(entry),
    source: policy.source,
    message: `\`${entry.key}\` is no key of ${section === '' ? policy.framework : `\`${section}\` in ${policy.framework}`}, ${policy.refuses}${hint}`,
    ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
  });
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  string: 'text',
  array: 'a list',
  object: 'a mapping',
};

function fits(type: string, node: ConfigNode): boolean {
  if (node.kind !== 'scalar') return type === (node.kind === 'map' ? 'object' : 'array');
  const { value } = node;
  if (value === null) return true;
  switch (type) {
    case 'integer':
      return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
    case 'number':
      // PyYAML reads `1e-5` as text; classes turn it back into a number.
      return typeof value === 'number' || typeof value === 'bigint' || isNumeric(value);
    case 'boolean':
      return pythonBoolean(node) !== undefined;
    case 'string':
      return typeof value === 'string' || !/^['"]/.test(node.raw);
    default:
      return false;
  }
}

function isNumeric(value: string | boolean): boolean {
  return typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?\.?(inf|nan)$/i.test(value);
}

/** A quoted number or switch. */
function isCoerced(node: ConfigNode): boolean {
  return (
    node.kind === 'scalar' &&
    typeof node.value === 'string' &&
    (isNumeric(node.value) || /^(true|false|yes|no|on|off)$/i.test(node.value))
  );
}

function wrongWord(node: ScalarNode, schema: JsonSchema): string | undefined {
  if (schema.enum === undefined || node.value === null) return undefined;
  return schema.enum.includes(node.value as string) ? undefined : closest(String(node.value), schema.enum.map(String));
}

function valueFindings({ entry, schema }: Step, policy: KeyPolicy): Finding[] {
  const node = entry.value;
  const types = schema.type === undefined ? [] : typeof schema.type === 'string' ? [schema.type] : [...schema.type];
  if (policy.coerces === true && isCoerced(node)) return [];
  if (types.length > 0 && !types.some((type) => fits(type, node))) {
    const wanted = types.map((type) => TYPE_WORDS[type] ?? type).join(' or ');
    const shown = node.kind === 'scalar' ? node.raw.slice(0, 40) : node.kind === 'list' ? 'a list' : 'a mapping';
    return [
      remark({
        rule: 'wrong-type',
        severity: policy.value,
        at: placeOf(entry),
        source: policy.source,
        message: `\`${entry.key}\` takes ${wanted}, not ${shown}.`,
      }),
    ];
  }
  if (node.kind !== 'scalar' || schema.enum === undefined || node.value === null) return [];
  if (schema.enum.includes(node.value as string)) return [];
  const meant = wrongWord(node, schema);
  return [
    remark({
      rule: 'wrong-value',
      severity: policy.value,
      at: placeOf(entry),
      source: policy.source,
      message: `\`${entry.key}: ${node.raw.slice(0, 40)}\` is none of ${schema.enum.map(String).join(', ')}${meant === undefined ? '' : `; did you mean \`${meant}\`?`}.`,
      ...(meant === undefined ? {} : { fixes: wordFix(entry, meant) }),
    }),
  ];
}

/** Unknown keys, and values that do not fit, all the way down a nested configuration. Interpolations and free mappings are left alone. */
export function nestedKeyFindings(root: MapNode, schema: JsonSchema, policy: KeyPolicy): Finding[] {
  const visit = (node: MapNode, here: JsonSchema, path: readonly string[]): Finding[] => {
    const siblings = propertiesOf(schema, here);
    if (siblings.length === 0) return [];
    return node.entries.flatMap((entry): Finding[] => {
      const own = [...path, entry.key];
      const dotted = own.join('.');
      if (policy.leave?.has(dotted) === true) return [];
      const known = schemaOfKey(schema, here, entry.key);
      const step = { path: own, entry, schema: known ?? {} };
      // An open section takes keys of its own; only a slip is told there.
      if (known === undefined && here.additionalProperties === true && closest(entry.key, siblings) === undefined)
        return [];
      if (known === undefined) return [unknownKey(schema, siblings, step, policy)];
      if (isUnresolved(entry.value) && entry.value.kind === 'scalar') return [];
      if (entry.value.kind === 'map' && known.properties !== undefined) return visit(entry.value, known, own);
      return valueFindings(step, policy);
    });
  };
  return visit(root, schema, []);
}
