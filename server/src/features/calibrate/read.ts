import { parseConfig } from '../../syntax/parse';
import type { MapNode } from '../../syntax/tree';
import { readLog, type Measurements } from './logs';

const GIB = 2 ** 30;

/** Keys of a calibration file: where each goes, and what its unit is in bytes, seconds and tokens. */
const KEYS: Readonly<Record<string, readonly [keyof Measurements, number]>> = {
  step_seconds: ['stepSeconds', 1],
  step_ms: ['stepSeconds', 1e-3],
  tokens_per_second_per_gpu: ['tokensPerSecondPerGpu', 1],
  peak_memory_gib: ['peakBytes', GIB],
  nvlink_gb_s: ['inside', 1e9],
  network_gb_s: ['outside', 1e9],
};

function numberAt(map: MapNode, key: string): number | undefined {
  const value = map.entries.find((entry) => entry.key === key)?.value;
  const number = value?.kind === 'scalar' && !value.unresolved ? Number(value.value) : Number.NaN;
  return Number.isFinite(number) && number > 0 ? number : undefined;
}

function decodeOf(root: MapNode): Measurements['decode'] {
  const decode = root.entries.find(({ key }) => key === 'decode')?.value;
  if (decode?.kind !== 'map') return undefined;
  const sequences = numberAt(decode, 'sequences');
  const tokensPerSecond = numberAt(decode, 'tokens_per_second');
  return sequences === undefined || tokensPerSecond === undefined ? undefined : { sequences, tokensPerSecond };
}

function fromSection(map: MapNode): Measurements | undefined {
  const values = Object.entries(KEYS).flatMap(([key, [field, unit]]) => {
    const value = numberAt(map, key);
    return value === undefined ? [] : [[field, value * unit] as const];
  });
  const decode = decodeOf(map);
  if (values.length === 0 && decode === undefined) return undefined;
  return { from: 'the calibration file', ...Object.fromEntries(values), ...(decode === undefined ? {} : { decode }) };
}

/** The `measured` section of a text; undefined where it is a log. */
function sectionOf(text: string): MapNode | undefined {
  // A log of many megabytes is no config, and its first lines say so.
  const head = text.slice(0, 65_536);
  if (!/(?:^|[{\n,])\s*["']?measured["']?\s*:/.test(head)) return undefined;
  const root = parseConfig(head, head.trimStart().startsWith('{') ? 'json' : 'yaml').documents[0];
  const section = root?.kind === 'map' ? root.entries.find(({ key }) => key === 'measured')?.value : undefined;
  return section?.kind === 'map' ? section : undefined;
}

const DECODE_KEYS = ['sequences', 'tokens_per_second'];

function faultsIn(map: MapNode, known: readonly string[], path: string): string[] {
  return map.entries.flatMap(({ key, value }) => {
    if (!known.includes(key)) return [`${path}.${key} is no key; there are ${known.join(', ')}`];
    if (key === 'decode' && value.kind === 'map') return faultsIn(value, DECODE_KEYS, `${path}.decode`);
    if (key !== 'decode' && numberAt(map, key) !== undefined) return [];
    return [
      `${path}.${key} is no ${key === 'decode' ? 'section of sequences and tokens_per_second' : 'positive number'}`,
    ];
  });
}

/** What a text of measurements says that is not understood; a log of an unknown program is one fault. */
export function measurementFaults(text: string): readonly string[] {
  const section = sectionOf(text);
  if (section !== undefined && section.entries.length > 0)
    return faultsIn(section, [...Object.keys(KEYS), 'decode'], 'measured');
  return readMeasurements(text) === undefined
    ? [
        'it is neither a file with a section "measured" nor a log of Megatron-LM, torchtitan, vLLM, SGLang or nccl-tests',
      ]
    : [];
}

/** Measurements of a text: a small YAML or JSON file with a `measured` section, or a log of a framework or of nccl-tests. */
export function readMeasurements(text: string): Measurements | undefined {
  const section = sectionOf(text);
  return (section === undefined ? undefined : fromSection(section)) ?? readLog(text);
}
