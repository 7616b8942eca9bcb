import type { Finding, SourceReference } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { faultFinding, valueFault } from '../common/argparse';
import { listed, remark, replaceFix } from '../common/findings';
import { isUnresolved, keyPlaceOf, placeOf, pythonBoolean } from '../common/nodes';
import { closest } from '../common/spelling';
import { isSupported, matchKey, sglangOptions, type KeyMatch } from './keys';

const READER = 'python/sglang/srt/server_args_config_parser.py';

function source(file = READER, fn = 'ConfigArgumentMerger._convert_config_to_args'): SourceReference {
  return { framework: 'SGLang', repository: 'sgl-project/sglang', file, function: fn, commit: 'eec794bce0' };
}

const ARGUMENTS = source('python/sglang/srt/server_args.py', 'prepare_server_args');

function unsupported(entry: Entry, flag: string): Finding {
  const older =
    flag === 'cuda-graph-max-bs-decode'
      ? 'cuda-graph-max-bs'
      : flag === 'cuda-graph-bs-decode'
        ? 'cuda-graph-bs'
        : undefined;
  const way =
    older === undefined
      ? 'give it on the command line instead'
      : `the older spelling \`${older}\` is the one a file may hold`;
  return remark({
    rule: 'unsupported-key',
    severity: 'warning',
    at: keyPlaceOf(entry),
    source: source(),
    message: `\`${entry.key}\` cannot stand in a --config file: SGLang as of 2026-08 refuses options of its kind there; ${way}.`,
    ...(older === undefined ? {} : { fixes: [replaceFix(`Change to \`${older}\``, entry.keySpan, older)] }),
  });
}

function unknown(entry: Entry): Finding {
  const meant = closest(entry.key.replaceAll('_', '-'), sglangOptions);
  if (meant === undefined) {
    return remark({
      rule: 'unknown-key',
      severity: 'warning',
      at: keyPlaceOf(entry),
      source: ARGUMENTS,
      message: `\`${entry.key}\` is no argument of the SGLang server as of 2026-08, and SGLang stops at arguments that it does not know.`,
    });
  }
  return remark({
    rule: 'unknown-key',
    severity: 'error',
    at: keyPlaceOf(entry),
    source: ARGUMENTS,
    message: `\`${entry.key}\` is no argument of the SGLang server, which stops at arguments that it does not know; did you mean \`${meant}\`?`,
    fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)],
  });
}

function refused(entry: Entry, match: Exclude<KeyMatch, { readonly kind: 'known' }>): Finding {
  const at = keyPlaceOf(entry);
  switch (match.kind) {
    case 'unsupported':
      return unsupported(entry, match.flag);
    case 'ambiguous': {
      const exact = match.options.find((option) => option === `${entry.key}-size`);
      return remark({
        rule: 'ambiguous-key',
        severity: 'error',
        at,
        source: ARGUMENTS,
        message: `\`${entry.key}\` could be ${listed(
          match.options.map((option) => `\`${option}\``),
          4,
        )}: SGLang takes an abbreviation only when it fits one argument.`,
        ...(exact === undefined ? {} : { fixes: [replaceFix(`Change to \`${exact}\``, entry.keySpan, exact)] }),
      });
    }
    case 'underscored':
      return remark({
        rule: 'misspelled-key',
        severity: 'error',
        at,
        source: source(),
        message: `\`${entry.key}\` needs hyphens: SGLang turns keys into command line flags as they are, and \`--${entry.key}\` is none; write \`${match.spelled}\`.`,
        fixes: [replaceFix(`Change to \`${match.spelled}\``, entry.keySpan, match.spelled)],
      });
    case 'removed': {
      const successor = match.successor;
      return remark({
        rule: 'removed-key',
        severity: 'warning',
        at,
        source: ARGUMENTS,
        message: `\`${entry.key}\` is gone from SGLang as of 2026-08${successor === null ? '' : `; its place is taken by \`${successor}\``}.`,
      });
    }
    case 'unknown':
      return unknown(entry);
  }
}

function deprecation(entry: Entry, schema: Extract<KeyMatch, { readonly kind: 'known' }>['schema']): Finding[] {
  const successor = schema['x-deprecated'];
  if (successor === undefined) return [];
  // Where a file may not hold the successor, the old spelling is right here.
  const usable = typeof successor === 'string' && isSupported(successor) && matchKey(successor).kind === 'known';
  if (!usable) return [];
  return [
    remark({
      rule: 'deprecated-key',
      severity: 'hint',
      at: keyPlaceOf(entry),
      source: ARGUMENTS,
      tags: ['deprecated'],
      message: `\`${entry.key}\` is deprecated; \`${successor}\` replaces it.`,
      fixes: [replaceFix(`Change to \`${successor}\``, entry.keySpan, successor, false)],
    }),
  ];
}

function valueFindings(entry: Entry, schema: Extract<KeyMatch, { readonly kind: 'known' }>['schema']): Finding[] {
  const fault = valueFault(schema, entry.value);
  return fault === undefined ? [] : [faultFinding(fault, entry, ARGUMENTS)];
}

/** What a file says and SGLang leaves out: a switch given as false, an option with an empty list. */
function dropped(entry: Entry, schema: Extract<KeyMatch, { readonly kind: 'known' }>['schema']): Finding[] {
  const { value } = entry;
  const empty = value.kind === 'list' && value.items.length === 0;
  const off =
    value.kind === 'scalar' &&
    pythonBoolean(value) === false &&
    schema.type === 'boolean' &&
    schema['x-optional'] !== true;
  if (!empty && !off) return [];
  return [
    {
      rule: 'setting-dropped',
      severity: empty ? 'warning' : 'hint',
      at: placeOf(entry),
      source: source(READER, empty ? 'ConfigArgumentMerger._add_list_arg' : 'ConfigArgumentMerger._add_boolean_arg'),
      message: empty
        ? `\`${entry.key}: []\` leaves the option out: SGLang runs with its default${schema.default === undefined || schema.default === null ? '' : ` ${String(schema.default)}`}.`
        : `\`${entry.key}: false\` is the same as leaving it out: a switch can only be turned on.`,
      tags: ['unnecessary'],
    },
  ];
}

/**
 * Where arguments stand: in a `--config` file, on a command line, behind a wrapper with options of its own, or as keys of another tool's
 * file that hands them on with hyphens.
 */
export type SglangForm = 'file' | 'command' | 'wrapped' | 'handed-on';

function keyFindings(entry: Entry, match: Exclude<KeyMatch, { readonly kind: 'known' }>, form: SglangForm): Finding[] {
  if (form !== 'file' && match.kind === 'unsupported') return [];
  if (match.kind !== 'unknown' || form === 'file' || form === 'command') return [refused(entry, match)];
  // A wrapper has options of its own; a slip of the pen is told all the same.
  const slip = form === 'handed-on' ? unknown(entry) : undefined;
  return slip?.fixes === undefined ? [] : [{ ...slip, severity: 'warning' }];
}

/** What SGLang's config reader and argument parser say about keys and values, before anything is computed. */
export function spellingFindings(root: MapNode, form: SglangForm = 'file'): Finding[] {
  return root.entries.flatMap((entry): Finding[] => {
    const match = matchKey(form === 'handed-on' ? entry.key.replaceAll('_', '-') : entry.key);
    if (match.kind !== 'known') return keyFindings(entry, match, form);
    if (isUnresolved(entry.value)) return deprecation(entry, match.schema);
    return [
      ...deprecation(entry, match.schema),
      ...valueFindings(entry, match.schema),
      ...(form === 'file' ? dropped(entry, match.schema) : []),
    ];
  });
}
