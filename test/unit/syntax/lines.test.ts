import fc from 'fast-check';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { describe, expect, it } from 'vitest';
import { indexLines } from '../../../server/src/features/lines';

const texts = fc.stringMatching(/^[ab\r\n😀]{0,30}$/u);

describe('indexLines', () => {
  it('counts as the library that keeps the documents, past every end', () => {
    fc.assert(
      fc.property(
        texts,
        fc.integer({ min: -2, max: 40 }),
        fc.integer({ min: -1, max: 12 }),
        fc.integer({ min: -1, max: 12 }),
        (text, offset, line, character) => {
          const document = TextDocument.create('file:///a', 'yaml', 1, text);
          const index = indexLines(text);
          expect(index.positionAt(offset)).toEqual(document.positionAt(offset));
          expect(index.offsetAt({ line, character })).toBe(document.offsetAt({ line, character }));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('takes a character behind a line for its end, not for its line end', () => {
    const index = indexLines('ab\r\ncd');
    expect(index.offsetAt({ line: 0, character: 99 })).toBe(2);
    expect(index.positionAt(3)).toEqual({ line: 0, character: 2 });
  });
});
