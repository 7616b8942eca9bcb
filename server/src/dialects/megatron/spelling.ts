import type { Finding, SourceReference } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { valueFault, wordsFault } from '../common/argparse';
import { remark, replaceFix } from '../common/findings';
import { isUnresolved, keyPlaceOf, placeOf } from '../common/nodes';
import { closest } from '../common/spelling';
import { megatronSchema } from '../schemas';
import { argumentEntries, matchMegatronKey, megatronFlagNames, type FlagMatch, type MegatronForm } from './arguments';

export function source(fn = 'validate_args', file = 'megatron/training/arguments.py'): SourceReference {
  return { framework: 'Megatron-LM', repository: 'NVIDIA/Megatron-LM', file, function: fn, commit: 'd98e8a64ddf3' };
}

const entryFlags = new Set(megatronSchema['x-entry-flags']);

function unknown(entry: Entry): Finding[] {
  // Dotted keys are overrides of a framework built on Megatron; its keys are not these.
  if (!entry.key.startsWith('--') || entryFlags.has(entry.key)) return [];
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

function values({ schema }: FlagMatch, entry: Entry): Finding[] {
  const node = entry.value;
  if (isUnresolved(node) || (node.kind === 'scalar' && node.value === null)) return [];
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value.trim() : undefined;
  // The test harness writes a value as shell words: quoted booleans switch flags, lists may be blank-separated text.
  if (schema.type === 'boolean' && text !== undefined && /^(true|false)$/i.test(text)) return [];
  // `true` for a value-taking flag, or `false` for any, means that the harness leaves the value or the flag out.
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return [];
  const fault = schema.type === 'array' && text !== undefined ? wordsFault(schema, text) : valueFault(schema, node);
  if (fault === undefined) return [];
  const shown = node.kind === 'scalar' ? node.raw.slice(0, 40) : node.kind === 'list' ? '[…]' : '{…}';
  return [
    remark({
      rule: fault.rule,
      severity: fault.certain ? 'error' : 'warning',
      at: placeOf(entry),
      source: source('parse_args'),
      message: `\`${entry.key}: ${shown}\` ${fault.says}.`,
      ...(fault.meant === undefined
        ? {}
        : { fixes: [replaceFix(`Change to \`${fault.meant}\``, node.span, fault.meant)] }),
    }),
  ];
}

/** What Megatron's argument parser says about keys and values. In the YAML forms nothing is parsed, so only `MODEL_ARGS` is judged key by key. */
export function spellingFindings(root: MapNode, form: MegatronForm): Finding[] {
  if (form !== 'model-args') return [];
  return argumentEntries(root, form).flatMap((entry): Finding[] => {
    const match = entry.key.startsWith('--') ? matchMegatronKey(entry.key) : undefined;
    return match === undefined ? unknown(entry) : [...successors(match, entry), ...values(match, entry)];
  });
}
