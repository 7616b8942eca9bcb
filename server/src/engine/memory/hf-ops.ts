import type { Store, Tape, Value } from './autograd';
import { apply, value } from './autograd';

/** How the transformers model of one plan computes: sizes of formats, what trains, and adapters. */
export interface HfContext {
  readonly tape: Tape;
  /** Tokens of a microbatch on one rank. */
  readonly T: number;
  /** Bytes of an activation between modules: 2 in BF16, 4 in FP32. */
  readonly wide: number;
  /** Autocast: weights and activations are FP32 and Linear casts them to 2 bytes. */
  readonly amp: boolean;
  /** Bytes of a gradient element of a base weight; 0 where base weights are frozen. */
  readonly gradient: number;
  readonly lora?: LoraSizes;
  /** Base weights of adapters are stored quantized and opened to 2 bytes for every product. */
  readonly quantizedBase: boolean;
}

export interface LoraSizes {
  readonly rank: number;
  /** Names such as `q_proj`; empty: every Linear of a layer. */
  readonly targets: readonly string[];
  /** Bytes of an adapter weight: peft keeps adapters in FP32 unless told not to. */
  readonly bytes: number;
}

/** True where a Linear of this name carries an adapter. */
export function adapted(lora: LoraSizes | undefined, name: string): boolean {
  return lora !== undefined && (lora.targets.length === 0 || lora.targets.includes(name));
}

/** Bytes of one element of a tensor that Linear hands on. */
function product(c: HfContext): number {
  return c.amp ? 2 : c.wide;
}

/** `nn.Linear`, cast by autocast where it is on, with its LoRA branch (peft tuners/lora/layer.py, Linear.forward). `input` is element bytes. */
export function linear(
  c: HfContext,
  name: string,
  x: Value,
  rows: number,
  columns: number,
  options: { readonly tokens?: number; readonly bias?: boolean; readonly input?: number } = {},
): Value {
  const tokens = options.tokens ?? c.T;
  const input = options.input ?? x.bytes / Math.max(1, tokens * columns);
  const trains = c.gradient > 0;
  const cast = c.amp && input > 2 ? apply(c.tape, `${name} input in BF16`, 2 * tokens * columns, [x]) : x;
  const copy: Store = { bytes: 2 * rows * columns, group: 'BF16 copies of weights' };
  const parameters = rows * columns + (options.bias === true ? rows : 0);
  const out = apply(c.tape, name, product(c) * tokens * rows, [cast], {
    saved: [...(trains ? [cast] : []), ...(c.amp && (cast.needsGradient || trains) ? [copy] : [])],
    parameters: parameters * c.gradient,
    scratch: c.amp && trains ? 2 * rows * columns : c.quantizedBase ? 2 * rows * columns : 0,
  });
  const { lora } = c;
  if (lora === undefined || !adapted(lora, name)) return out;
  const wide = Math.max(lora.bytes, c.amp ? 2 : 0);
  const opened =
    lora.bytes === 2 || input === 4 ? x : apply(c.tape, 'adapter inputs in FP32', lora.bytes * tokens * columns, [x]);
  const down = apply(c.tape, 'adapter latents', wide * tokens * lora.rank, [opened], {
    saved: [opened],
    parameters: lora.bytes * lora.rank * columns,
  });
  const up = apply(c.tape, 'adapter outputs', wide * tokens * rows, [down], {
    saved: [down],
    parameters: lora.bytes * lora.rank * rows,
  });
  const scaled = apply(c.tape, 'adapter outputs', wide * tokens * rows, [up]);
  if (lora.bytes === 2) return apply(c.tape, name, out.bytes, [], { pass: [out, scaled] });
  const sum = apply(c.tape, name, 4 * tokens * rows, [out], { pass: [scaled] });
  return apply(c.tape, name, out.bytes, [sum]);
}

/**
 * RMSNorm as transformers writes it: widen, mean of squares, multiply, narrow, scale. Gemma scales in FP32 before narrowing. LayerNorm
 * is one kernel that keeps its input.
 */
export function norm(
  c: HfContext,
  name: string,
  x: Value,
  rows: number,
  width: number,
  kind: 'rms' | 'gemma' | 'layer',
  elementBytes = c.wide,
): Value {
  const n = rows * width;
  const trains = c.gradient > 0;
  if (kind === 'layer')
    return apply(c.tape, name, elementBytes * n, [x], {
      saved: [x, { bytes: 8 * rows, group: `${name}: statistics` }],
      parameters: 2 * width * c.gradient,
    });
  const input = elementBytes === 4 ? x : apply(c.tape, `${name}: input in FP32`, 4 * n, [x]);
  const squares = apply(c.tape, `${name}: squares`, 4 * n, [input], { saved: [input] });
  const mean = apply(c.tape, `${name}: mean`, 4 * rows, [squares]);
  const statistics: Store = { bytes: 4 * rows, group: `${name}: statistics` };
  const root = apply(c.tape, `${name}: statistics`, 4 * rows, [mean], { saved: [statistics] });
  const unit = apply(c.tape, `${name}: normalized`, 4 * n, [input, root], {
    saved: [input, statistics],
    scratch: 4 * n,
  });
  if (kind === 'gemma') {
    const scaled = apply(c.tape, `${name}: scaled`, 4 * n, [unit], {
      saved: trains ? [unit] : [],
      parameters: width * c.gradient,
      scratch: trains ? 4 * n : 0,
    });
    return elementBytes === 4 ? scaled : apply(c.tape, name, elementBytes * n, [scaled]);
  }
  const narrow = elementBytes === 4 ? unit : apply(c.tape, `${name}: normalized`, elementBytes * n, [unit]);
  // Under autocast the FP32 scale widens what the norm hands on.
  const out = c.amp ? 4 : elementBytes;
  return apply(c.tape, name, out * n, [narrow], {
    saved: trains ? [narrow] : [],
    parameters: width * c.gradient,
    scratch: trains ? out * n : 0,
  });
}

/** A sum of two branches: both get the gradient as it is, or a narrower copy where formats differ. */
export function add(c: HfContext, name: string, a: Value, b: Value): Value {
  const bytes = Math.max(a.bytes, b.bytes);
  const own = [a, b].filter((side) => side.bytes !== bytes);
  return apply(c.tape, name, bytes, own, { pass: [a, b].filter((side) => side.bytes === bytes) });
}

/** Rotary embedding without a fused kernel: tables do not train, so that it keeps nothing of its input. */
export function rotate(c: HfContext, x: Value, elements: number): Value {
  const bytes = (c.amp ? 4 : c.wide) * elements;
  const turned = apply(c.tape, 'rotary', bytes, [x], { scratch: bytes });
  const straight = apply(c.tape, 'rotary', bytes, [x]);
  return add(c, 'rotated query and key', straight, turned);
}

export { value };
