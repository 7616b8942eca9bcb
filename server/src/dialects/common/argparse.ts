import type { Finding, SourceReference } from '../../plan/finding';
import type { ConfigNode, Entry, ScalarNode } from '../../syntax/tree';
import { remark, replaceFix, type DialectRule } from './findings';
import type { JsonSchema } from './json-schema';
import { isUnresolved, placeOf, pythonBoolean, pythonText } from './nodes';
import { closest } from './spelling';

/** Why Python's argparse would refuse a value: the rule it breaks, and the end of a sentence that starts with key and value. */
export interface ValueFault {
  readonly rule: DialectRule;
  readonly says: string;
  /** The one word that was probably meant. */
  readonly meant?: string;
  /** False where another release may accept it: choices grow and shrink, types do not. */
  readonly certain: boolean;
}

const INTEGER = /^\s*[+-]?\d+(_\d+)*\s*$/;
const SUFFIXED = /^\s*[+-]?(\d+(\.\d+)?)\s*[kKmMgGtT]?(i?[bB])?\s*$/;
const FLOAT = /^\s*[+-]?((\d[\d_]*)?\.?\d+([eE][+-]?\d+)?|\d[\d_]*\.?([eE][+-]?\d+)?|inf(inity)?|nan)\s*$/i;

function typed(schema: JsonSchema, text: string): boolean {
  if (schema['x-suffix'] === true) return SUFFIXED.test(text) || INTEGER.test(text);
  if (schema.type === 'integer') return INTEGER.test(text);
  return schema.type === 'number' ? FLOAT.test(text) : true;
}

function wordFault(schema: JsonSchema, node: ScalarNode): ValueFault | undefined {
  const kind = schema.type === 'integer' ? 'an integer' : 'a number';
  if (node.value === null && (schema.type !== 'string' || schema.enum !== undefined)) {
    return {
      rule: 'null-value',
      certain: true,
      says: `is empty, which reaches the argument parser as the word None and not as ${schema.enum === undefined ? kind : 'one of its choices'}; leave the key out instead`,
    };
  }
  return textFault(schema, pythonText(node));
}

function textFault(schema: JsonSchema, text: string): ValueFault | undefined {
  const kind = schema.type === 'integer' ? 'an integer' : 'a number';
  if (!typed(schema, text)) return { rule: 'wrong-type', certain: true, says: `is not ${kind}` };
  if (schema.enum === undefined) return undefined;
  const choices = schema.enum.map(String);
  if (choices.includes(text.trim())) return undefined;
  const meant = closest(text.trim(), choices);
  const near =
    meant === undefined
      ? `one of ${choices.slice(0, 12).join(', ')}${choices.length > 12 ? ', …' : ''}`
      : `\`${meant}\` is the nearest choice`;
  return {
    rule: 'wrong-value',
    certain: meant !== undefined,
    says: `is not a choice; ${near}`,
    ...(meant === undefined ? {} : { meant }),
  };
}

/** The same for a list that is written as blank-separated words, which a shell would cut apart. */
export function wordsFault(schema: JsonSchema, text: string): ValueFault | undefined {
  const element = { ...schema.items, ...(schema.enum === undefined ? {} : { enum: schema.enum }) };
  const words = text
    .replace(/^\[|\]$/g, '')
    .split(/[\s,]+/)
    .filter((word) => word.length > 0);
  return words.map((word) => textFault(element, word)).find((fault) => fault !== undefined);
}

function flagFault(node: ConfigNode): ValueFault | undefined {
  if (node.kind === 'scalar' && pythonBoolean(node) !== undefined) return undefined;
  // Wrappers differ in how they read quoted words; the words themselves leave no doubt.
  if (node.kind === 'scalar' && typeof node.value === 'string' && /^(true|false)$/i.test(node.value.trim())) {
    return {
      rule: 'wrong-type',
      certain: true,
      says: 'is quoted text: the flag takes no value, so the word is left over; write it without quotes',
    };
  }
  if (node.kind === 'list' && node.items.length === 0) return undefined;
  return {
    rule: 'wrong-type',
    certain: true,
    says: 'is no boolean: the flag takes no value, so whatever follows it is left over',
  };
}

/**
 * What argparse says about one value that a config file turns into `--key value`: the value is text by then, so `"8"` is as good as `8`.
 * Undefined where it is accepted or cannot be known. Source: CPython Lib/argparse.py, `_get_values`, `_check_value`.
 */
export function valueFault(schema: JsonSchema, node: ConfigNode): ValueFault | undefined {
  if (isUnresolved(node)) return undefined;
  if (schema.type === 'boolean') return schema['x-optional'] === true ? undefined : flagFault(node);
  if (schema.type === 'array') {
    const items = node.kind === 'list' ? node.items : [node];
    const element = { ...schema.items, ...(schema.enum === undefined ? {} : { enum: schema.enum }) };
    for (const item of items) {
      const fault = item.kind === 'scalar' ? wordFault(element, item) : undefined;
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  if (node.kind === 'list') {
    const [only] = node.items;
    if (node.items.length <= 1) return only?.kind === 'scalar' ? wordFault(schema, only) : undefined;
    return schema['x-json'] === true
      ? undefined
      : { rule: 'wrong-type', certain: true, says: `holds ${node.items.length} values where the key takes one` };
  }
  if (node.kind === 'map') {
    return schema.type === 'string'
      ? undefined
      : {
          rule: 'wrong-type',
          certain: true,
          says: `is a mapping, not ${schema.type === 'integer' ? 'an integer' : 'a number'}`,
        };
  }
  return wordFault(schema, node);
}

function shown(node: ConfigNode): string {
  if (node.kind === 'scalar') return node.raw.slice(0, 40);
  return node.kind === 'map' ? '{…}' : `[${node.items.length > 0 ? '…' : ''}]`;
}

/** The finding on the value that has the fault; an error where every release refuses it. */
export function faultFinding(
  fault: ValueFault,
  entry: Entry,
  source: SourceReference,
  severity: Finding['severity'] = fault.certain ? 'error' : 'warning',
): Finding {
  return remark({
    rule: fault.rule,
    severity,
    at: placeOf(entry),
    source,
    message: `\`${entry.key}: ${shown(entry.value)}\` ${fault.says}.`,
    ...(fault.meant === undefined
      ? {}
      : { fixes: [replaceFix(`Change to \`${fault.meant}\``, entry.value.span, fault.meant)] }),
  });
}
