import { parseConfig } from '../../syntax/parse';
import type { ConfigNode, MapNode } from '../../syntax/tree';
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

function fromFile(root: ConfigNode | undefined): Measurements | undefined {
  if (root?.kind !== 'map') return undefined;
  const section = root.entries.find(({ key }) => key === 'measured')?.value;
  const map = section?.kind === 'map' ? section : undefined;
  if (map === undefined) return undefined;
  const values = Object.entries(KEYS).flatMap(([key, [field, unit]]) => {
    const value = numberAt(map, key);
    return value === undefined ? [] : [[field, value * unit] as const];
  });
  const decode = decodeOf(map);
  if (values.length === 0 && decode === undefined) return undefined;
  return { from: 'the calibration file', ...Object.fromEntries(values), ...(decode === undefined ? {} : { decode }) };
}

/** Measurements of a text: a small YAML or JSON file with a `measured` section, or a log of a framework or of nccl-tests. */
export function readMeasurements(text: string): Measurements | undefined {
  // A log of many megabytes is no config, and its first lines say so.
  const head = text.slice(0, 65_536);
  if (/(?:^|[{\n,])\s*["']?measured["']?\s*:/.test(head)) {
    const language = head.trimStart().startsWith('{') ? 'json' : 'yaml';
    const found = fromFile(parseConfig(head, language).documents[0]);
    if (found !== undefined) return found;
  }
  return readLog(text);
}
