/**
 * A small model of torch's eager autograd: which tensors a module's forward pass keeps, and which are alive at every step of
 * its backward pass. It knows sizes and lifetimes only, no values. Rules after torch/csrc/autograd (engine.cpp, input_buffer.cpp,
 * accumulate_grad.cpp): nodes run in reverse order of creation; a node's saved tensors and incoming gradient are released when it
 * has run; a second gradient of one tensor is added in place only where no other edge still holds the first.
 */

/** Memory that several tensors may share. Counted once while anything holds it. */
export interface Store {
  readonly bytes: number;
  readonly group: string;
}

/** A tensor in the graph. `bytes` is the size of its gradient, which has the tensor's own format. */
export interface Value {
  readonly bytes: number;
  readonly store: Store;
  readonly needsGradient: boolean;
}

/** Gradient that a node hands to an input: a new tensor, or the incoming one as it is (additions, views). */
type Handing = 'new' | 'pass';

interface Node {
  readonly out: Value;
  readonly inputs: readonly (readonly [Value, Handing])[];
  readonly saved: readonly Store[];
  /** Bytes of the gradients of this node's own parameters. */
  readonly parameters: number;
  /** Scratch while the node runs backward. */
  readonly scratch: number;
}

/** Collects nodes in the order in which a forward pass makes them. */
export interface Tape {
  readonly nodes: Node[];
}

export function newTape(): Tape {
  return { nodes: [] };
}

export function value(bytes: number, group: string, needsGradient = true): Value {
  return { bytes, store: { bytes, group }, needsGradient };
}

export interface NodeOptions {
  readonly saved?: readonly (Value | Store)[];
  readonly pass?: readonly Value[];
  readonly parameters?: number;
  readonly scratch?: number;
  /** Where the output lies: the memory of a tensor that it views, or that of an output which is kept itself. */
  readonly store?: Store;
}

/** Adds one operation; returns its output. An operation that needs no gradient keeps nothing. */
export function apply(
  tape: Tape,
  group: string,
  bytes: number,
  inputs: readonly Value[],
  options: NodeOptions = {},
): Value {
  const parameters = options.parameters ?? 0;
  const pass = options.pass ?? [];
  const needsGradient = parameters > 0 || [...inputs, ...pass].some((input) => input.needsGradient);
  const store = options.store ?? { bytes, group };
  const out = { bytes, store, needsGradient };
  if (!needsGradient) return out;
  tape.nodes.push({
    out,
    inputs: [
      ...inputs.filter((input) => input.needsGradient).map((input) => [input, 'new'] as const),
      ...pass.filter((input) => input.needsGradient).map((input) => [input, 'pass'] as const),
    ],
    saved: (options.saved ?? []).map((entry) => ('store' in entry ? entry.store : entry)),
    parameters,
    scratch: options.scratch ?? 0,
  });
  return out;
}

/** One step of a backward pass: bytes of saved tensors, gradients of activations and scratch; and of parameter gradients made so far. */
export interface BackwardPoint {
  readonly live: number;
  readonly parameters: number;
}

export interface ModuleMemory {
  /** Memory that the forward pass leaves saved, each store once. */
  readonly saved: readonly Store[];
  readonly savedBytes: number;
  /** Steps of the backward pass that no later step covers in both figures. */
  readonly backward: readonly BackwardPoint[];
  /** Bytes of all parameter gradients. */
  readonly parameters: number;
}

interface Buffer {
  readonly bytes: number;
  holders: number;
}

/** Runs the backward pass of a module whose output gradient `out` arrives from outside. Stores in `outer` are held by others too. */
export function runBackward(tape: Tape, out: Value, outer: readonly Store[] = []): ModuleMemory {
  const holders = new Map<Store, number>();
  for (const node of tape.nodes)
    for (const store of new Set(node.saved)) holders.set(store, (holders.get(store) ?? 0) + 1);
  for (const store of outer) holders.delete(store);
  const saved = [...holders.keys()];
  const savedBytes = saved.reduce((sum, { bytes }) => sum + bytes, 0);
  const gradients = new Map<Value, Buffer>([[out, { bytes: out.bytes, holders: 1 }]]);
  let live = savedBytes + out.bytes;
  let parameters = 0;
  const points: BackwardPoint[] = [];
  const release = (buffer: Buffer): void => {
    buffer.holders -= 1;
    if (buffer.holders === 0) live -= buffer.bytes;
  };
  const note = (extra: number): void => void points.push({ live: live + extra, parameters });
  for (let index = tape.nodes.length - 1; index >= 0; index -= 1) {
    const node = tape.nodes[index];
    const incoming = node === undefined ? undefined : gradients.get(node.out);
    if (node === undefined || incoming === undefined) continue;
    gradients.delete(node.out);
    parameters += node.parameters;
    const made: [Value, Buffer][] = [];
    for (const [input, handing] of node.inputs) {
      if (handing === 'pass') {
        incoming.holders += 1;
        made.push([input, incoming]);
        continue;
      }
      made.push([input, { bytes: input.bytes, holders: 1 }]);
      live += input.bytes;
    }
    note(node.scratch);
    for (const store of new Set(node.saved)) {
      const left = (holders.get(store) ?? 0) - 1;
      if (holders.has(store)) holders.set(store, left);
      if (left === 0 && holders.has(store)) live -= store.bytes;
    }
    release(incoming);
    for (const [input, buffer] of made) {
      const first = gradients.get(input);
      if (first === undefined) gradients.set(input, buffer);
      else if (first.holders === 1) {
        note(0);
        release(buffer);
      } else {
        const sum = { bytes: input.bytes, holders: 1 };
        live += sum.bytes;
        note(0);
        release(first);
        release(buffer);
        gradients.set(input, sum);
      }
    }
  }
  return { saved, savedBytes, backward: outermost(points), parameters };
}

/** Drops steps at which both figures are no greater than at another one. */
function outermost(points: readonly BackwardPoint[]): BackwardPoint[] {
  const out: BackwardPoint[] = [];
  let highest = -1;
  for (let index = points.length - 1; index >= 0; index -= 1) {
    const point = points[index];
    if (point === undefined || point.live <= highest) continue;
    highest = point.live;
    out.push(point);
  }
  return out;
}
