const LONGEST = 4096;

interface Cursor {
  readonly text: string;
  at: number;
}

function readNumber(cursor: Cursor): number | undefined {
  const match = /^-?\d+/.exec(cursor.text.slice(cursor.at, cursor.at + 12));
  if (match === null) return undefined;
  cursor.at += match[0].length;
  return Number(match[0]);
}

function readList(cursor: Cursor): number[] | undefined {
  const out: number[] = [];
  cursor.at += 1;
  while (cursor.text[cursor.at] !== ']') {
    const value = readNumber(cursor);
    if (value === undefined || out.length >= LONGEST) return undefined;
    out.push(value);
    if (cursor.text[cursor.at] === ',') cursor.at += 1;
    else if (cursor.text[cursor.at] !== ']') return undefined;
  }
  cursor.at += 1;
  return out;
}

function readFactor(cursor: Cursor, depth: number): number[] | undefined {
  const sign = cursor.text[cursor.at];
  if (sign === '[') return readList(cursor);
  if (sign !== '(' || depth > 16) return undefined;
  cursor.at += 1;
  const inner = readSum(cursor, depth + 1);
  if (inner === undefined || cursor.text[cursor.at] !== ')') return undefined;
  cursor.at += 1;
  return inner;
}

function readTerm(cursor: Cursor, depth: number): number[] | undefined {
  let list = readFactor(cursor, depth);
  while (list !== undefined && cursor.text[cursor.at] === '*') {
    cursor.at += 1;
    const times = readNumber(cursor);
    if (times === undefined || times < 0 || times * list.length > LONGEST) return undefined;
    list = Array.from({ length: times }, () => list ?? []).flat();
  }
  return list;
}

function readSum(cursor: Cursor, depth: number): number[] | undefined {
  const out = readTerm(cursor, depth);
  if (out === undefined) return undefined;
  while (cursor.text[cursor.at] === '+') {
    cursor.at += 1;
    const next = readTerm(cursor, depth);
    if (next === undefined || out.length + next.length > LONGEST) return undefined;
    out.push(...next);
  }
  return out;
}

/**
 * A Python list expression of the kind `([0]*3+[1]*58)`: lists of integers, sums, products with a number, parentheses.
 * Undefined for anything else; nothing is evaluated. Source: Megatron-LM, megatron/training/arguments.py, `moe_freq_type`.
 */
export function listExpression(text: string): readonly number[] | undefined {
  const cursor: Cursor = { text: text.replaceAll(/\s/g, ''), at: 0 };
  const list = readSum(cursor, 0);
  return list !== undefined && cursor.at === cursor.text.length ? list : undefined;
}

/** One flag a layer from `--moe-layer-freq`: a number N makes one layer in N a MoE layer, a list says it for each. Undefined when it does not fit the layers. */
export function moeLayers(frequency: number | readonly number[], layers: number): readonly boolean[] | undefined {
  if (layers > LONGEST) return undefined;
  if (typeof frequency === 'number')
    return frequency >= 1 ? Array.from({ length: layers }, (_, layer) => layer % frequency === 0) : undefined;
  return frequency.length === layers ? frequency.map((flag) => flag !== 0) : undefined;
}
