import { readPickle, type Pickled, type PickledTensor } from './pickle';
import { readArchive, type Archive } from './zip';

/** Numbers of a tensor in the order of its indices. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

type Read = (view: DataView, at: number) => number;

function half(view: DataView, at: number): number {
  const bits = view.getUint16(at, true);
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits >= 0x8000 ? -size : size;
}

function bfloat(view: DataView, at: number): number {
  const wide = new DataView(new ArrayBuffer(4));
  wide.setUint32(0, view.getUint16(at, true) << 16);
  return wide.getFloat32(0);
}

const STORAGES: Readonly<Record<string, { readonly size: number; readonly read: Read }>> = {
  BoolStorage: { size: 1, read: (view, at) => view.getUint8(at) },
  ByteStorage: { size: 1, read: (view, at) => view.getUint8(at) },
  CharStorage: { size: 1, read: (view, at) => view.getInt8(at) },
  ShortStorage: { size: 2, read: (view, at) => view.getInt16(at, true) },
  IntStorage: { size: 4, read: (view, at) => view.getInt32(at, true) },
  LongStorage: { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  HalfStorage: { size: 2, read: half },
  BFloat16Storage: { size: 2, read: bfloat },
  FloatStorage: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  DoubleStorage: { size: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** A file that `torch.save` wrote: its value, and how to get the numbers of a tensor in it. */
export interface TorchFile {
  readonly value: Pickled;
  /** The numbers of a tensor, or a sentence about why there are none. */
  readonly tensor: (tensor: PickledTensor) => Tensor | string;
}

function tensorFrom(
  archive: Archive,
  folder: string,
  { storage, key, offset, shape, strides }: PickledTensor,
): Tensor | string {
  const data = archive.get(`${folder}data/${key}`);
  const type = STORAGES[storage];
  if (data === undefined) return `the archive lacks the data of a tensor, data/${key}`;
  if (type === undefined) return `tensors of ${storage} cannot be read`;
  const count = shape.reduce((product, size) => product * size, 1);
  // A view that repeats its data would be far larger in memory than in the file.
  if (count * type.size > data.length) return 'a tensor has more numbers than its data';
  const last = shape.reduce((at, size, axis) => at + (size - 1) * (strides[axis] ?? 0), offset);
  if (count > 0 && (last + 1) * type.size > data.length) return 'a tensor reaches beyond its data';
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const values = new Float64Array(count);
  const index = shape.map(() => 0);
  let place = offset;
  for (let at = 0; at < count; at += 1) {
    values[at] = type.read(view, place * type.size);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const stride = strides[axis] ?? 0;
      index[axis] = (index[axis] ?? 0) + 1;
      place += stride;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      place -= stride * (shape[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return { shape, values };
}

/** Opens what `torch.save` wrote, reading plain values and tensors only; a sentence where it is something else. */
export function readTorchFile(bytes: Uint8Array): TorchFile | string {
  if (!(bytes[0] === 0x50 && bytes[1] === 0x4b))
    return bytes[0] === 0x80
      ? 'the file is a bare pickle, as torch before 1.6 wrote it; save it again with a newer torch'
      : 'the file is no archive of torch.save';
  const archive = readArchive(bytes);
  if (typeof archive === 'string') return archive;
  const name = [...archive.keys()].find((entry) => entry === 'data.pkl' || entry.endsWith('/data.pkl'));
  const pickle = name === undefined ? undefined : archive.get(name);
  if (name === undefined || pickle === undefined) return 'the archive has no data.pkl';
  const folder = name.slice(0, -'data.pkl'.length);
  const order = archive.get(`${folder}byteorder`);
  if (order !== undefined && order[0] === 'b'.charCodeAt(0)) return 'the tensors were saved on a big-endian machine';
  const read = readPickle(pickle);
  if ('refused' in read) return read.refused;
  return { value: read.value, tensor: (tensor) => tensorFrom(archive, folder, tensor) };
}
