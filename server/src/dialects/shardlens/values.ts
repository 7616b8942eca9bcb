import type { Durations } from '../../engine/spec/training';
import type { ConfigNode } from '../../syntax/tree';
import { dtypeOf } from '../common/dtypes';
import { dereference, type JsonSchema } from '../common/json-schema';
import { booleanOf, childOf, integerOf, numberOf, textOf, wordsOf } from '../common/nodes';
import { shardlensSchema } from '../schemas';

/** Layers named by a set, as one flag a layer: `"3-60"`, `"3-"`, `"0,2,4-7"`, a list of layers, or one boolean a layer. Undefined when it says something else. */
export function layerSet(node: ConfigNode, count: number): readonly boolean[] | undefined {
  if (node.kind === 'list' && node.items.every((item) => booleanOf(item) !== undefined)) {
    return node.items.length === count ? node.items.map((item) => booleanOf(item) === true) : undefined;
  }
  const words = node.kind === 'list' ? node.items.map(textOf) : textOf(node)?.split(',');
  if (words === undefined) return undefined;
  const flags = new Array<boolean>(count).fill(false);
  for (const word of words) {
    const range = /^\s*(\d+)\s*(?:(-)\s*(\d+)?)?\s*$/.exec(word ?? '');
    if (range === null) return undefined;
    const first = Number(range[1]);
    const last = range[2] === undefined ? first : range[3] === undefined ? count - 1 : Number(range[3]);
    if (first >= count || last >= count) return undefined;
    flags.fill(true, first, last + 1);
  }
  return flags;
}

/** Sums over a schedule stay exact far beyond this, and nothing that is timed takes longer. */
const LONGEST = 1e12;

/** Durations with the two that follow from others filled in: B = I + W and FB = F + B. Undefined when F or both of I and W are missing. */
export function readDurations(node: ConfigNode): Durations | undefined {
  const of = (key: string): number | undefined => {
    const value = numberOf(childOf(node, key));
    return value !== undefined && value >= 0 && value <= LONGEST ? value : undefined;
  };
  const F = of('F');
  const whole = of('B');
  const I = of('I') ?? (whole === undefined ? undefined : whole / 2);
  const W = of('W') ?? (whole === undefined || I === undefined ? undefined : whole - I);
  if (F === undefined || I === undefined || W === undefined || W < 0) return undefined;
  const B = whole ?? I + W;
  return { F, B, I, W, FB: of('FB') ?? F + B, comm: of('comm') ?? 0 };
}

function readScalar(schema: JsonSchema, node: ConfigNode): unknown {
  const own = dereference(shardlensSchema, schema);
  if (own['x-read'] === 'dtype') {
    const name = textOf(node);
    return name === 'none' ? 'none' : name === undefined ? undefined : dtypeOf(name);
  }
  if (own.type === 'integer') {
    const value = integerOf(node);
    if (value === undefined || (own.minimum !== undefined && value < own.minimum)) return undefined;
    return own.enum === undefined || own.enum.includes(value) ? value : undefined;
  }
  if (own.type === 'number') {
    const value = numberOf(node);
    return value === undefined ? undefined : value * (own['x-scale'] ?? 1);
  }
  if (own.type === 'boolean') return booleanOf(node);
  const text = textOf(node);
  return text === undefined || (own.enum !== undefined && !own.enum.includes(text)) ? undefined : text;
}

/**
 * The value of one key in the Plan's own terms: bytes, FLOP/s and bytes a second instead of the file's units, `DType` names for number formats.
 * Undefined for a value that the schema does not allow; sets of layers and pipeline layouts need more than the value and are read elsewhere.
 */
export function readValue(schema: JsonSchema, node: ConfigNode): unknown {
  const reading = schema['x-read'];
  if (reading === 'layer-set' || reading === 'pipeline-layout' || reading === 'block') return undefined;
  if (reading === 'durations') return readDurations(node);
  if (schema.type !== 'array') return readScalar(schema, node);
  if (schema.items?.type !== 'integer') return wordsOf(node);
  if (node.kind !== 'list') return undefined;
  const numbers = node.items.map((item) => readScalar(schema.items ?? {}, item));
  return numbers.every((value) => typeof value === 'number') ? numbers : undefined;
}
