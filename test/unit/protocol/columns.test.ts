import { describe, expect, it } from 'vitest';
import { decodeColumn, encodeColumn } from '../../../server/src/protocol/columns';

describe('columns on the wire', () => {
  it.each([0, 1, 2, 3, 4, 5, 1000, 70_001])('are the base64 that every reader knows, for %i bytes', (length) => {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 37 + 11) % 256);
    const column = encodeColumn(bytes);
    expect(column).toEqual({ type: 'u8', data: Buffer.from(bytes).toString('base64') });
    expect(decodeColumn(column)).toEqual(bytes);
  });

  it.each([Int32Array.of(-1, 0, 2 ** 31 - 1), Float64Array.of(0.1, -1e300, Infinity), Float32Array.of(1.5, -0)])(
    'come back exactly: %s',
    (array) => {
      expect(decodeColumn(encodeColumn(array))).toEqual(array);
    },
  );

  it('hold the part that an array views, not its whole buffer', () => {
    const part = Int32Array.of(1, 2, 3, 4).subarray(1, 3);
    expect(decodeColumn(encodeColumn(part))).toEqual(Int32Array.of(2, 3));
  });
});
