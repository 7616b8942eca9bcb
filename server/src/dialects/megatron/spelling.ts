import { profileOf } from './profiles';
import type { Finding, SourceReference } from '../../plan/finding';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { faultFinding, valueFault, wordsFault, type ValueFault } from '../common/argparse';
import { remark, replaceFix } from '../common/findings';
import { isUnresolved, keyPlaceOf, numberOf } from '../common/nodes';
import { closest } from '../common/spelling';
import { megatronSchema } from '../schemas';
import { argumentEntries, matchMegatronKey, megatronFlagNames, type FlagMatch, type MegatronForm } from './arguments';

export function source(fn = 'validate_args', file = 'megatron/training/arguments.py'): SourceReference {
  return { framework: 'Megatron-LM', repository: 'NVIDIA/Megatron-LM', file, function: fn, commit: 'd98e8a64ddf3' };
}

const entryFlags = new Set(megatronSchema['x-entry-flags']);

/** Flags that scripts of Megatron-LM's own repository add to its parser. */
export function isEntryFlag(flag: string): boolean {
  return entryFlags.has(flag);
}

function unknown(entry: Entry): Finding[] {
  // Dotted keys are overrides of a framework built on Megatron; its keys are not these.
  if (!entry.key.startsWith('--') || isEntryFlag(entry.key)) return [];
  const meant = closest(entry.key, megatronFlagNames);
  if (meant === undefined) {
    return [
      remark({
        rule: 'unknown-key',
        severity: 'hint',
        at: keyPlaceOf(entry),
        source: source('parse_args'),
        message: `\`${entry.key}\` is no argument of Megatron-LM's own scripts as of 2026-08; the entry script must add it.`,
      }),
    ];
  }
  return [
    remark({
      rule: 'unknown-key',
      severity: 'warning',
      at: keyPlaceOf(entry),
      source: source('parse_args'),
      message: `\`${entry.key}\` is no argument of Megatron-LM, whose parser refuses unknown flags and abbreviations; did you mean \`${meant}\`?`,
      fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)],
    }),
  ];
}

function successors({ schema }: FlagMatch, entry: Entry): Finding[] {
  const refused = schema['x-refused'];
  if (refused !== undefined) {
    return [
      remark({
        rule: 'removed-key',
        severity: 'error',
        at: keyPlaceOf(entry),
        source: source(),
        message: `\`${entry.key}\` is gone: Megatron-LM stops and asks for \`${refused}\`.`,
        fixes:
          refused === '--recompute-granularity' ? [] : [replaceFix(`Change to \`${refused}\``, entry.keySpan, refused)],
      }),
    ];
  }
  const successor = schema['x-deprecated'];
  if (typeof successor !== 'string') return [];
  return [
    remark({
      rule: 'deprecated-key',
      severity: 'hint',
      at: keyPlaceOf(entry),
      source: source('parse_args'),
      tags: ['deprecated'],
      message: `\`${entry.key}\` is deprecated; \`${successor}\` replaces it.`,
    }),
  ];
}

/**
 * Values that are no word at all: the test harness writes `true` as the bare flag, nothing as the word null and an empty list as `[]`,
 * none of which the parser takes for a number. Source: tests/functional_tests/shell_test_utils/_run_training.sh.
 */
function emptyFault({ schema }: FlagMatch, node: ConfigNode): ValueFault | undefined {
  const kind = schema.type === 'integer' ? 'an integer' : schema.type === 'number' ? 'a number' : undefined;
  const choice = schema.enum !== undefined && schema.type === 'string';
  if ((kind === undefined && !choice) || schema['x-nargs'] !== undefined) return undefined;
  const asks = kind ?? `one of ${(schema.enum ?? []).join(', ')}`;
  if (node.kind === 'list' && node.items.length === 0)
    return { rule: 'wrong-type', certain: true, says: `is an empty list where ${asks} is expected` };
  if (node.kind !== 'scalar') return undefined;
  if (node.value === true)
    return { rule: 'wrong-type', certain: true, says: `gives the flag alone, but it takes a value: ${asks}` };
  return node.value === null
    ? {
        rule: 'null-value',
        certain: true,
        says: `is empty and reaches the parser as the word null, but ${asks} is expected; leave the key out instead`,
      }
    : undefined;
}

function values(match: FlagMatch, entry: Entry): Finding[] {
  const node = entry.value;
  const { schema } = match;
  if (isUnresolved(node)) return [];
  const empty = emptyFault(match, node);
  if (empty !== undefined) return [faultFinding(empty, entry, source('parse_args'))];
  if (node.kind === 'scalar' && node.value === null) return [];
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value.trim() : undefined;
  // The test harness writes a value as shell words: quoted booleans switch flags, lists may be blank-separated text.
  if (schema.type === 'boolean' && text !== undefined && /^(true|false)$/i.test(text)) return [];
  // `true` for a value-taking flag, or `false` for any, means that the harness leaves the value or the flag out.
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return [];
  const fault = schema.type === 'array' && text !== undefined ? wordsFault(schema, text) : valueFault(schema, node);
  return fault === undefined ? [] : [faultFinding(fault, entry, source('parse_args'))];
}

/** Numbers that are none, in formats that nothing parses: the first use of the value fails, whenever that is. */
export function numberFindings(entries: readonly Entry[]): Finding[] {
  return entries.flatMap((entry): Finding[] => {
    const node = entry.value;
    const schema = matchMegatronKey(entry.key)?.schema;
    if (schema === undefined || isUnresolved(node) || (schema.type !== 'integer' && schema.type !== 'number'))
      return [];
    if (node.kind === 'scalar' && (node.value === null || typeof node.value === 'number')) return [];
    if (node.kind === 'scalar' && numberOf(node) !== undefined) return [];
    const says = `is not ${schema.type === 'integer' ? 'an integer' : 'a number'}`;
    return [faultFinding({ rule: 'wrong-type', certain: true, says }, entry, source('parse_args'), 'warning')];
  });
}

/** What Megatron's argument parser says about keys and values. In the YAML forms nothing is parsed, so only numbers are judged there. */
export function spellingFindings(root: MapNode, form: MegatronForm): Finding[] {
  if (form !== 'model-args') {
    // ms-swift has a strategy of that name, in words.
    const { namedModel } = profileOf(root, form);
    return numberFindings(argumentEntries(root, form).filter(({ key }) => !(namedModel && key === 'loss_scale')));
  }
  return argumentEntries(root, form).flatMap((entry): Finding[] => {
    const match = entry.key.startsWith('--') ? matchMegatronKey(entry.key) : undefined;
    return match === undefined ? unknown(entry) : [...successors(match, entry), ...values(match, entry)];
  });
}
