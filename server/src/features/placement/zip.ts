import { bytesToText } from '../../protocol/bytes';

/** Entries of an archive by name, each a view of the archive's own bytes. */
export type Archive = ReadonlyMap<string, Uint8Array>;

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const MOST_ENTRIES = 1_000_000;

/** The last occurrence of a signature; the end record may be followed by a comment of at most 65,535 bytes. */
function endRecord(view: DataView): number | undefined {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 65_535); at -= 1)
    if (view.getUint32(at, true) === END) return at;
  return undefined;
}

interface Directory {
  readonly start: number;
  readonly count: number;
}

/** Where the directory begins. Archives with large entries state it in a second, 64-bit record. */
function directoryOf(view: DataView, end: number): Directory | undefined {
  const plain = { start: view.getUint32(end + 16, true), count: view.getUint16(end + 10, true) };
  if (plain.start !== 0xffffffff && plain.count !== 0xffff) return plain;
  const locator = end - 20;
  if (locator < 0 || view.getUint32(locator, true) !== LOCATOR64) return undefined;
  const at = Number(view.getBigUint64(locator + 8, true));
  if (at + 56 > view.byteLength || view.getUint32(at, true) !== END64) return undefined;
  return { start: Number(view.getBigUint64(at + 48, true)), count: Number(view.getBigUint64(at + 32, true)) };
}

interface Placed {
  readonly name: string;
  readonly method: number;
  readonly size: number;
  readonly offset: number;
  readonly next: number;
}

/** Sizes and offset that do not fit 32 bits stand in an extra field, in this order and only where they are needed. */
function wide(view: DataView, at: number, length: number, values: readonly number[]): number[] | undefined {
  for (let field = at; field + 4 <= at + length;) {
    const size = view.getUint16(field + 2, true);
    if (view.getUint16(field, true) === 1) {
      let next = field + 4;
      return values.map((value) => {
        if (value !== 0xffffffff) return value;
        next += 8;
        return next <= at + length ? Number(view.getBigUint64(next - 8, true)) : -1;
      });
    }
    field += 4 + size;
  }
  return values.includes(0xffffffff) ? undefined : [...values];
}

function centralEntry(view: DataView, bytes: Uint8Array, at: number): Placed | undefined {
  if (at + 46 > view.byteLength || view.getUint32(at, true) !== CENTRAL) return undefined;
  const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as [
    number,
    number,
    number,
  ];
  const next = at + 46 + name + extra + comment;
  if (next > view.byteLength) return undefined;
  const stated = [24, 20, 42].map((field) => view.getUint32(at + field, true));
  const [size, , offset] = wide(view, at + 46 + name, extra, stated) ?? [];
  if (size === undefined || offset === undefined || size < 0 || offset < 0) return undefined;
  return {
    name: bytesToText(bytes.subarray(at + 46, at + 46 + name)),
    method: view.getUint16(at + 10, true),
    size,
    offset,
    next,
  };
}

/** Data of a stored entry, after its local header, whose name and extra field have lengths of their own. */
function dataOf(view: DataView, bytes: Uint8Array, { offset, size }: Placed): Uint8Array | undefined {
  if (offset + 30 > view.byteLength || view.getUint32(offset, true) !== LOCAL) return undefined;
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  return start + size <= bytes.length ? bytes.subarray(start, start + size) : undefined;
}

/**
 * Entries of a zip archive that stores them as they are, as `torch.save` does. A sentence where it is no such archive: packed entries,
 * places beyond the end.
 */
export function readArchive(bytes: Uint8Array): Archive | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length < 22 ? undefined : endRecord(view);
  const directory = end === undefined ? undefined : directoryOf(view, end);
  if (directory === undefined || directory.count > MOST_ENTRIES) return 'the file is no zip archive with a directory';
  const entries = new Map<string, Uint8Array>();
  let at = directory.start;
  for (let index = 0; index < directory.count; index += 1) {
    const entry = centralEntry(view, bytes, at);
    if (entry === undefined) return 'the directory of the archive is broken';
    if (entry.method !== 0) return `${entry.name} is compressed, which torch.save never does`;
    const data = dataOf(view, bytes, entry);
    if (data === undefined) return `${entry.name} lies outside the file`;
    entries.set(entry.name, data);
    at = entry.next;
  }
  return entries;
}
