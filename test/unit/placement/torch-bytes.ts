/** Builds what `torch.save` writes, byte by byte, so that tests need no Python. */

const encoder = new TextEncoder();

export function joined(...parts: readonly (Uint8Array | string | readonly number[])[]): Uint8Array {
  const all = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : Uint8Array.from(part)));
  const out = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of all) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);
}

/** A zip archive whose entries are stored as they are; `method` 8 claims that they are packed. */
export function archive(entries: Readonly<Record<string, Uint8Array>>, method = 0): Uint8Array {
  const bodies: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(entries)) {
    const sizes = [...little(0, 4), ...little(data.length, 4), ...little(data.length, 4), ...little(name.length, 2)];
    const shared = [...little(method, 2), ...little(0, 4), ...sizes];
    const local = joined('PK\x03\x04', little(10, 2), little(0, 2), shared, little(0, 2), name, data);
    directory.push(
      joined(
        'PK\x01\x02',
        little(10, 2),
        little(10, 2),
        little(0, 2),
        shared,
        little(0, 2),
        little(0, 2),
        little(0, 8),
        little(offset, 4),
        name,
      ),
    );
    bodies.push(local);
    offset += local.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const count = little(bodies.length, 2);
  return joined(
    ...bodies,
    ...directory,
    'PK\x05\x06',
    little(0, 4),
    count,
    count,
    little(size, 4),
    little(offset, 4),
    little(0, 2),
  );
}

export function text(value: string): Uint8Array {
  return joined('X', little(value.length, 4), value);
}

export function number(value: number): Uint8Array {
  return joined('J', little(value >>> 0, 4));
}

/** Opcodes of one tensor over the storage `key`. */
export function tensor(
  storage: string,
  key: string,
  shape: readonly number[],
  strides?: readonly number[],
): Uint8Array {
  const steps = strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const tuple = (values: readonly number[]): Uint8Array => joined('(', ...values.map(number), 't');
  return joined(
    'ctorch._utils\n_rebuild_tensor_v2\n((',
    text('storage'),
    `ctorch\n${storage}\n`,
    text(key),
    text('cpu'),
    number(shape.reduce((product, size) => product * size, 1)),
    'tQ',
    number(0),
    tuple(shape),
    tuple(steps),
    [0x89],
    'ccollections\nOrderedDict\n)RtR',
  );
}

/** Opcodes of a dict. */
export function dict(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return joined('}(', ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]), 'u');
}

export function pickle(value: Uint8Array): Uint8Array {
  return joined([0x80, 2], value, '.');
}

/** A whole file: the pickled value and its storages by key. */
export function torchFile(value: Uint8Array, storages: Readonly<Record<string, ArrayBufferView>> = {}): Uint8Array {
  const data = Object.entries(storages).map(([key, view]) => [
    `run/data/${key}`,
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
  ]);
  return archive({ 'run/data.pkl': pickle(value), ...(Object.fromEntries(data) as Record<string, Uint8Array>) });
}
