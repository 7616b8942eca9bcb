import type { Finding, SourceReference } from '../../plan/finding';
import type { ConfigNode, Entry, ScalarNode } from '../../syntax/tree';
import { remark, replaceFix } from './findings';
import { isScalar, placeOf } from './nodes';

/** Kinds of fields that Pydantic turns values into. */
export type PydanticType = 'integer' | 'number' | 'boolean' | 'string' | 'array' | 'object';

const WORDS: Readonly<Record<PydanticType, string>> = {
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  string: 'text',
  array: 'a list',
  object: 'a mapping',
};

const BOOLEAN = /^(?:true|false|yes|no|on|off|t|f|y|n|1|0)$/i;
const INTEGER = /^\s*[+-]?\d+(?:_\d+)*(?:\.0*)?\s*$/;
const NUMBER = /^\s*[+-]?(?:\d[\d_]*\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?|nan)\s*$/i;

function takes(type: PydanticType, { value }: ScalarNode): boolean {
  if (value === null) return true;
  const word = typeof value === 'string' ? value : undefined;
  switch (type) {
    case 'integer':
      return word === undefined ? typeof value !== 'number' || Number.isInteger(value) : INTEGER.test(word);
    case 'number':
      return word === undefined || NUMBER.test(word);
    case 'boolean':
      return word === undefined
        ? typeof value === 'boolean' || Number(value) === 0 || Number(value) === 1
        : BOOLEAN.test(word);
    case 'string':
      return word !== undefined;
    default:
      return false;
  }
}

/** True where Pydantic's lax mode turns the value into the field's type, or where the value is not known. A null is left to the caller. */
export function pydanticTakes(node: ConfigNode, type: PydanticType): boolean {
  if (isScalar(node)) return node.unresolved || takes(type, node);
  return type === (node.kind === 'map' ? 'object' : 'array');
}

/**
 * The refusal of a value that Pydantic cannot turn into a field's type: quoted numbers and 4.0 for 4 pass, 4.5 for a whole number and a bare
 * number for text do not. Source: pydantic's conversion table, lax mode.
 */
export function pydanticFindings(entry: Entry, type: PydanticType, source: SourceReference): Finding[] {
  const { value: node } = entry;
  if (pydanticTakes(node, type)) return [];
  const shown = isScalar(node) ? node.raw.slice(0, 40) : node.kind === 'list' ? 'a list' : 'a mapping';
  const near = isScalar(node) && typeof node.value === 'number' && Number.isFinite(node.value) ? node.value : undefined;
  const whole = type === 'integer' && near !== undefined ? String(Math.round(near)) : undefined;
  return [
    remark({
      rule: 'wrong-type',
      severity: 'error',
      at: placeOf(entry),
      source,
      message: `\`${entry.key}\` takes ${WORDS[type]}, and Pydantic refuses ${shown}${whole === undefined ? '' : `; the nearest legal value is ${whole}`}.`,
      ...(whole === undefined ? {} : { fixes: [replaceFix(`Change to ${whole}`, node.span, whole, false)] }),
    }),
  ];
}
