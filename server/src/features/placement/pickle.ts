import { bytesToText } from '../../protocol/bytes';

/** A tensor whose numbers lie in another entry of the archive. */
export interface PickledTensor {
  readonly kind: 'tensor';
  /** Type of its storage, such as `IntStorage`. */
  readonly storage: string;
  readonly key: string;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The plain values that a recording is made of. */
export type Pickled = null | boolean | number | string | PickledTensor | Pickled[] | Map<Pickled, Pickled>;

/** Functions and types a recording may name; everything else is refused, since a pickle can name any function of any module. */
const TENSOR_MAKERS: readonly string[] = ['torch._utils._rebuild_tensor_v2', 'torch._utils._rebuild_tensor'];
const MAP_MAKERS: readonly string[] = ['collections.OrderedDict', 'builtins.dict'];
const SIZE_MAKERS: readonly string[] = ['torch.Size', 'builtins.tuple', 'builtins.list'];
const STORAGE =
  /^torch\.(?:storage\.)?((?:Untyped|Typed|Bool|Byte|Char|Short|Int|Long|Half|BFloat16|Float|Double)Storage)$/;

const MOST_OPCODES = 4_000_000;

/** What cannot be read, as a sentence for the user. */
class Refusal {
  constructor(readonly reason: string) {}
}

interface Named {
  readonly kind: 'global';
  readonly name: string;
}
interface Stored {
  readonly kind: 'storage';
  readonly storage: string;
  readonly key: string;
}
type Item = Pickled | Named | Stored | typeof MARK;

const MARK: { readonly kind: 'mark' } = { kind: 'mark' };

function isKind<K extends 'global' | 'storage' | 'mark' | 'tensor'>(
  item: Item | undefined,
  kind: K,
): item is Extract<Item, { kind: K }> {
  return typeof item === 'object' && item !== null && 'kind' in item && item.kind === kind;
}

/** Names are looked at the moment they are loaded, before anything could be done with them. */
function admitted(module: string, name: string): Named {
  const full = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
  if (TENSOR_MAKERS.includes(full) || MAP_MAKERS.includes(full) || SIZE_MAKERS.includes(full) || STORAGE.test(full))
    return { kind: 'global', name: full };
  throw new Refusal(
    `the file asks to load ${module}.${name}, which no recording of expert counts needs: it could run code and is not read further`,
  );
}

function plain(item: Item | undefined): Pickled {
  if (item === undefined || isKind(item, 'mark')) throw new Refusal('the pickle is broken: a value is missing');
  if (isKind(item, 'global') || isKind(item, 'storage'))
    throw new Refusal('the pickle is broken: a type stands where a value should');
  return item;
}

function numbersOf(value: Item | undefined): number[] {
  const list = Array.isArray(value) ? value : [];
  return list.map((entry) => {
    if (typeof entry !== 'number' || !Number.isSafeInteger(entry) || entry < 0)
      throw new Refusal('a tensor has no usable shape');
    return entry;
  });
}

/** Calls that a recording may make are carried out here, on data alone. */
function reduce(callee: Item | undefined, args: Item | undefined): Pickled {
  if (!isKind(callee, 'global') || !Array.isArray(args))
    throw new Refusal('the pickle is broken: a call without a function');
  if (MAP_MAKERS.includes(callee.name)) {
    if (args.length > 0) throw new Refusal(`${callee.name} with arguments is no part of a recording`);
    return new Map();
  }
  if (SIZE_MAKERS.includes(callee.name)) return (args[0] as Pickled | undefined) ?? [];
  if (!TENSOR_MAKERS.includes(callee.name)) throw new Refusal(`${callee.name} is no function`);
  const [storage, offset, shape, strides] = args as Item[];
  if (!isKind(storage, 'storage') || typeof offset !== 'number') throw new Refusal('a tensor has no storage');
  const tensor = {
    kind: 'tensor',
    storage: storage.storage,
    key: storage.key,
    offset,
    shape: numbersOf(shape),
    strides: numbersOf(strides),
  } as const;
  if (tensor.shape.length !== tensor.strides.length || !Number.isSafeInteger(offset) || offset < 0)
    throw new Refusal('a tensor has no usable shape');
  return tensor;
}

function persistent(id: Item | undefined): Stored {
  const [word, type, key] = Array.isArray(id) ? (id as Item[]) : [];
  const storage = isKind(type, 'global') ? STORAGE.exec(type.name)?.[1] : undefined;
  if (word !== 'storage' || storage === undefined || typeof key !== 'string')
    throw new Refusal('the pickle names data that is no tensor storage');
  return { kind: 'storage', storage, key };
}

/** Reads numbers and names off the opcode stream. */
function createReader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length: number): number => {
    if (!Number.isSafeInteger(length) || length < 0 || at + length > bytes.length)
      throw new Refusal('the pickle ends too early');
    at += length;
    return at - length;
  };
  const text = (length: number): string => {
    const start = take(length);
    // Keys and names are ASCII; other letters come out wrong and match nothing.
    return bytesToText(bytes.subarray(start, start + length));
  };
  return {
    byte: () => view.getUint8(take(1)),
    uint16: () => view.getUint16(take(2), true),
    int32: () => view.getInt32(take(4), true),
    uint32: () => view.getUint32(take(4), true),
    uint64: () => Number(view.getBigUint64(take(8), true)),
    double: () => view.getFloat64(take(8), false),
    text,
    line: () => {
      const end = bytes.indexOf(10, at);
      if (end < 0) throw new Refusal('the pickle ends too early');
      const line = text(end - at);
      take(1);
      return line;
    },
    /** Little-endian two's complement of any length; numbers beyond 2^53 lose their last digits, which no count needs. */
    long: (length: number) => {
      const start = take(length);
      let value = 0;
      for (let index = length - 1; index >= 0; index -= 1) value = value * 256 + view.getUint8(start + index);
      return length > 0 && view.getUint8(start + length - 1) >= 128 ? value - 256 ** length : value;
    },
  };
}
type Reader = ReturnType<typeof createReader>;

interface Machine {
  readonly stack: Item[];
  readonly memo: Map<number, Item>;
  readonly read: Reader;
}

/** Items above the last mark, which goes with them. */
function sinceMark({ stack }: Machine): Item[] {
  const mark = stack.lastIndexOf(MARK);
  if (mark < 0) throw new Refusal('the pickle is broken: no mark');
  const items = stack.splice(mark);
  return items.slice(1);
}

function top({ stack }: Machine): Item | undefined {
  return stack.at(-1);
}

function setItems(machine: Machine, items: readonly Item[]): void {
  const map = top(machine);
  if (!(map instanceof Map)) throw new Refusal('the pickle is broken: entries without a map');
  for (let index = 0; index + 1 < items.length; index += 2) map.set(plain(items[index]), plain(items[index + 1]));
}

function append(machine: Machine, items: readonly Item[]): void {
  const list = top(machine);
  if (!Array.isArray(list)) throw new Refusal('the pickle is broken: items without a list');
  // Types and storages stand in tuples only; a list holds values.
  for (const item of items) list.push(plain(item));
}

function pair(machine: Machine): readonly [Item | undefined, Item | undefined] {
  const second = machine.stack.pop();
  return [machine.stack.pop(), second];
}

/** A tuple may hold a storage's description, so its items are kept as they are until they are used. */
function tuple(items: readonly Item[]): Item {
  return items as Pickled[];
}

function recall({ memo }: Machine, index: number): Item {
  const item = memo.get(index);
  if (item === undefined) throw new Refusal('the pickle is broken: nothing remembered under this number');
  return item;
}

type Step = (machine: Machine) => void;
const push =
  (make: (read: Reader) => Item): Step =>
  ({ stack, read }) => {
    stack.push(make(read));
  };
const remember =
  (index: (machine: Machine) => number): Step =>
  (machine) => {
    const item = top(machine);
    if (item === undefined) throw new Refusal('the pickle is broken: nothing to remember');
    machine.memo.set(index(machine), item);
  };
const tupleOf =
  (count: number): Step =>
  ({ stack }) => {
    if (stack.length < count) throw new Refusal('the pickle is broken: a tuple without items');
    stack.push(tuple(count === 0 ? [] : stack.splice(-count)));
  };

/** Every opcode that plain values and tensors need. Opcodes that build objects of any class are not among them. */
const STEPS: Readonly<Record<string, Step>> = {
  '\x80': ({ read }) => void read.byte(),
  '\x95': ({ read }) => void read.uint64(),
  '(': push(() => MARK),
  '0': ({ stack }) => void stack.pop(),
  N: push(() => null),
  '\x88': push(() => true),
  '\x89': push(() => false),
  J: push((read) => read.int32()),
  K: push((read) => read.byte()),
  M: push((read) => read.uint16()),
  '\x8a': push((read) => read.long(read.byte())),
  G: push((read) => read.double()),
  X: push((read) => read.text(read.uint32())),
  '\x8c': push((read) => read.text(read.byte())),
  U: push((read) => read.text(read.byte())),
  T: push((read) => read.text(read.int32())),
  B: push((read) => read.text(read.uint32())),
  C: push((read) => read.text(read.byte())),
  ']': push(() => []),
  '}': push(() => new Map()),
  ')': tupleOf(0),
  '\x85': tupleOf(1),
  '\x86': tupleOf(2),
  '\x87': tupleOf(3),
  t: (machine) => {
    const items = sinceMark(machine);
    machine.stack.push(tuple(items));
  },
  l: (machine) => {
    const items = sinceMark(machine).map(plain);
    machine.stack.push(items);
  },
  a: (machine) => append(machine, [machine.stack.pop() ?? null]),
  e: (machine) => {
    const items = sinceMark(machine);
    append(machine, items);
  },
  s: (machine) => {
    const [key, value] = pair(machine);
    setItems(machine, [key ?? null, value ?? null]);
  },
  u: (machine) => {
    const items = sinceMark(machine);
    setItems(machine, items);
  },
  q: remember(({ read }) => read.byte()),
  r: remember(({ read }) => read.uint32()),
  '\x94': remember(({ memo }) => memo.size),
  h: (machine) => machine.stack.push(recall(machine, machine.read.byte())),
  j: (machine) => machine.stack.push(recall(machine, machine.read.uint32())),
  c: push((read) => admitted(read.line(), read.line())),
  '\x93': (machine) => {
    const [module, name] = pair(machine);
    machine.stack.push(admitted(String(plain(module)), String(plain(name))));
  },
  Q: ({ stack }) => void stack.push(persistent(stack.pop())),
  R: (machine) => {
    const [callee, args] = pair(machine);
    machine.stack.push(reduce(callee, args));
  },
};

function run(machine: Machine): Pickled {
  for (let step = 0; step < MOST_OPCODES; step += 1) {
    const code = String.fromCharCode(machine.read.byte());
    if (code === '.') return plain(machine.stack.pop());
    const known = STEPS[code];
    if (known === undefined)
      throw new Refusal(
        `the pickle uses the opcode 0x${code.charCodeAt(0).toString(16).padStart(2, '0')}, which no recording of expert counts needs: it is not read further`,
      );
    known(machine);
  }
  throw new Refusal('the pickle is too long for a recording');
}

/**
 * Plain values and tensors of a pickle; anything else in it is refused with a sentence, and nothing is ever called. A pickle is a program
 * for a small machine: this one knows the instructions that build dicts, lists, numbers, text and torch tensors, and no names beside theirs.
 * Source of the format: Python's pickletools; of the tensors: pytorch, torch/_utils.py and torch/serialization.py.
 */
export function readPickle(bytes: Uint8Array): { readonly value: Pickled } | { readonly refused: string } {
  try {
    return { value: run({ stack: [], memo: new Map(), read: createReader(bytes) }) };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.reason };
    throw error;
  }
}
