import type { Finding } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { faultFinding, valueFault } from '../common/argparse';
import { listed, remark, replaceFix } from '../common/findings';
import type { JsonSchema } from '../common/json-schema';
import { isUnresolved, keyPlaceOf, placeOf, textOf } from '../common/nodes';
import { closest } from '../common/spelling';
import { suffixedInteger } from '../sglang/arguments';
import { matchVllmKey, vllmOptions, type VllmKey } from './keys';
import { vllmSource } from './source';
import { isDroppedSwitch, type VllmForm } from './values';

const PARSER = vllmSource('utils/argparse_utils.py', 'FlexibleArgumentParser.load_config_file');
const OPTIONS = vllmSource('engine/arg_utils.py', 'EngineArgs.add_cli_args');

function shortName(entry: Entry, flag: string): Finding {
  return remark({
    rule: 'misspelled-key',
    severity: 'error',
    at: keyPlaceOf(entry),
    source: PARSER,
    message: `\`${entry.key}\` is a short name that only a command line has (\`-${entry.key}\`): a config file turns it into \`--${entry.key}\`, which vLLM does not know; write \`${flag}\`.`,
    fixes: [replaceFix(`Change to \`${flag}\``, entry.keySpan, flag)],
  });
}

function refused(
  entry: Entry,
  match: Extract<VllmKey, { readonly kind: 'removed' | 'ambiguous' | 'unknown' }>,
): Finding {
  const at = keyPlaceOf(entry);
  if (match.kind === 'removed')
    return remark({
      rule: 'removed-key',
      severity: 'warning',
      at,
      source: OPTIONS,
      message: `\`${entry.key}\` is gone from vLLM as of 2026-08${match.successor === null ? '' : `; \`${match.successor}\` takes its place`}.`,
    });
  if (match.kind === 'ambiguous')
    return remark({
      rule: 'ambiguous-key',
      severity: 'error',
      at,
      source: OPTIONS,
      message: `\`${entry.key}\` could be ${listed(
        match.options.map((option) => `\`${option}\``),
        4,
      )}: vLLM takes an abbreviation only when it fits one option.`,
    });
  const meant = closest(entry.key.replaceAll('_', '-'), vllmOptions);
  return remark({
    rule: 'unknown-key',
    severity: meant === undefined ? 'warning' : 'error',
    at,
    source: OPTIONS,
    message: `\`${entry.key}\` is no option of \`vllm serve\`${meant === undefined ? ' as of 2026-08' : ''}, which stops at options that it does not know${meant === undefined ? '.' : `; did you mean \`${meant}\`?`}`,
    ...(meant === undefined ? {} : { fixes: [replaceFix(`Change to \`${meant}\``, entry.keySpan, meant)] }),
  });
}

function droppedSwitch(entry: Entry, schema: JsonSchema): Finding[] {
  const off = entry.key.replaceAll('_', '-');
  const effect = schema.default === true ? 'so it stays on' : 'so it changes nothing';
  return [
    {
      rule: 'switch-never-off',
      severity: 'information',
      at: placeOf(entry),
      source: PARSER,
      message: `\`${entry.key}: false\` is dropped without a word, ${effect}: vLLM turns switches off only when they are spelled with hyphens; write \`${off}: false\`.`,
      fixes: [replaceFix(`Change to \`${off}\``, entry.keySpan, off)],
    },
  ];
}

/** `128k` is not `128K`. */
function unitFinding(entry: Entry): Finding[] {
  const text = textOf(entry.value);
  if (text === undefined || !/^\d+(\.\d+)?[kmg]$/.test(text)) return [];
  const [small, large] = [suffixedInteger(text), suffixedInteger(text.toUpperCase())];
  if (small === undefined || large === undefined) return [];
  return [
    {
      rule: 'size-unit',
      severity: 'hint',
      at: placeOf(entry),
      source: vllmSource('utils/argparse_utils.py', 'human_readable_int'),
      message: `\`${text}\` is ${small}; the power of two, ${large}, is written \`${text.toUpperCase()}\`.`,
    },
  ];
}

function valueFindings(entry: Entry, schema: JsonSchema): Finding[] {
  if (isUnresolved(entry.value) || (entry.value.kind === 'scalar' && entry.value.value === null)) return [];
  const fault = schema.type === 'object' || Array.isArray(schema.type) ? undefined : valueFault(schema, entry.value);
  return fault === undefined ? [] : [faultFinding(fault, entry, OPTIONS)];
}

/** `--enforce-eager True`: switches of a command line take no word. Earlier releases took one after some of them. */
function leftOver(entry: Entry): Finding[] {
  const word = entry.value.kind === 'scalar' && entry.value.raw.length > 0 ? textOf(entry.value) : undefined;
  if (word === undefined || !/^(true|false)$/i.test(word)) return [];
  const off = /^false$/i.test(word);
  const name = entry.key.replaceAll('_', '-');
  return [
    remark({
      rule: 'wrong-type',
      severity: 'warning',
      at: placeOf(entry),
      source: OPTIONS,
      message: `\`--${name}\` takes no value: the word \`${word}\` is left over, and vLLM stops at it; ${off ? `write \`--no-${name}\`` : 'leave it out'}.`,
    }),
  ];
}

/** Keys that the reader of a file takes beside the options: the model as `vllm serve` has it before all options. */
const POSITIONAL = new Set(['model_tag', 'model-tag']);

/** What vLLM's parser says about keys and values before anything is computed. */
export function vllmSpelling(root: MapNode, form: VllmForm, text = ''): Finding[] {
  return root.entries.flatMap((entry): Finding[] => {
    if (POSITIONAL.has(entry.key)) return [];
    const match = matchVllmKey(entry.key);
    switch (match.kind) {
      case 'short':
        return form === 'file'
          ? [shortName(entry, match.flag)]
          : match.level === undefined
            ? valueFindings(entry, match.schema)
            : [];
      case 'off':
        return [];
      case 'known':
        if (match.rest.length > 0) return [];
        if (match.schema.type === 'boolean' && isDroppedSwitch(entry, form)) return droppedSwitch(entry, match.schema);
        // Mappings that become a command hold true and false rightly; only a dash in front makes it a word of a command.
        if (match.schema.type === 'boolean' && text[entry.keySpan.start] === '-') return leftOver(entry);
        return [...unitFinding(entry), ...valueFindings(entry, match.schema)];
      default:
        return form === 'wrapped' && match.kind !== 'removed' ? [] : [refused(entry, match)];
    }
  });
}
