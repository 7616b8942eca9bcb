import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { insertKey, removeEntry, replaceValue, scalarText, setValue } from '../../../server/src/syntax/edits';
import { parseConfig } from '../../../server/src/syntax/parse';
import { getPath, walk } from '../../../server/src/syntax/query';
import type { ConfigTree, MapNode } from '../../../server/src/syntax/tree';
import { applyEdits, config, dataOf, type Data } from './data';

type Language = 'yaml' | 'json' | 'toml';

function mapAt(tree: ConfigTree, ...path: string[]): MapNode {
  const node = getPath(tree.documents[0], path);
  if (node?.kind !== 'map') throw new Error(`no map at ${path.join('.')}`);
  return node;
}

function edited(
  text: string,
  language: Language,
  edit: (tree: ConfigTree) => ReturnType<typeof removeEntry> | ReturnType<typeof insertKey>,
): string {
  const made = edit(parseConfig(text, language));
  if (made === undefined) throw new Error('no edit');
  return applyEdits(text, Array.isArray(made) ? made : [made]);
}

describe('setValue', () => {
  it.each<[Language, string, string]>([
    ['yaml', 'tp: 4 # ranks\npp: 2\n', 'tp: 8 # ranks\npp: 2\n'],
    ['yaml', 'tp:\npp: 2\n', 'tp: 8\npp: 2\n'],
    ['yaml', '{tp: 4, pp: 2}', '{tp: 8, pp: 2}'],
    ['json', '{"tp": 4, // ranks\n "pp": 2}', '{"tp": 8, // ranks\n "pp": 2}'],
    ['toml', 'tp = 4 # ranks\npp = 2\n', 'tp = 8 # ranks\npp = 2\n'],
    ['yaml', '# note\npp: 2 # two', '# note\npp: 2 # two\ntp: 8'],
    ['yaml', 'pp: 2\r\n', 'pp: 2\r\ntp: 8\r\n'],
    ['yaml', 'pp: |\n  text\n', 'pp: |\n  text\ntp: 8\n'],
    ['yaml', 'pp:\n  - a\n  - b: 1\n# end\n', 'pp:\n  - a\n  - b: 1\ntp: 8\n# end\n'],
    ['json', '{}', '{"tp": 8}'],
    ['json', '{\n  "pp": 2 // two\n}', '{\n  "pp": 2,\n  "tp": 8 // two\n}'],
    ['toml', '# note\n[a]\nb = 1\n', 'tp = 8\n# note\n[a]\nb = 1\n'],
    ['toml', 'pp = [1,\n  2] # x\n\n[a]\nb = 1\n', 'pp = [1,\n  2] # x\ntp = 8\n\n[a]\nb = 1\n'],
  ])('in %s %j gives %j', (language, text, expected) => {
    expect(edited(text, language, (tree) => setValue(mapAt(tree), 'tp', 8, language, text))).toBe(expected);
  });

  it('overrides what a merge key brought instead of breaking the merge', () => {
    const text = 'base: &b {tp: 4}\nrun:\n  <<: *b\n  pp: 2\n';
    const after = edited(text, 'yaml', (tree) => setValue(mapAt(tree, 'run'), 'tp', 8, 'yaml', text));
    expect(after).toBe('base: &b {tp: 4}\nrun:\n  <<: *b\n  pp: 2\n  tp: 8\n');
  });

  it('adds beside a merge key that stands alone', () => {
    const text = 'base: &b {tp: 4}\nrun:\n  <<: *b\n';
    const after = edited(text, 'yaml', (tree) => setValue(mapAt(tree, 'run'), 'tp', 8, 'yaml', text));
    expect(after).toBe('base: &b {tp: 4}\nrun:\n  <<: *b\n  tp: 8\n');
  });

  it('keeps the indentation of a map in a list', () => {
    const text = 'a:\n  - x: 1\n    y: 2\n  - x: 3\n';
    const after = edited(text, 'yaml', (tree) => insertKey(mapAt(tree, 'a', '0'), 'z', 'w', 'yaml', text));
    expect(after).toBe('a:\n  - x: 1\n    y: 2\n    z: w\n  - x: 3\n');
  });

  it('writes into the table that is meant', () => {
    const text = '[a]\nb = 1\n\n[a.c]\nd = 2\n\n[e]\n';
    const into = (...path: string[]): string =>
      edited(text, 'toml', (tree) => insertKey(mapAt(tree, ...path), 'x', true, 'toml', text));
    expect(into('a')).toBe('[a]\nb = 1\nx = true\n\n[a.c]\nd = 2\n\n[e]\n');
    expect(into('a', 'c')).toBe('[a]\nb = 1\n\n[a.c]\nd = 2\nx = true\n\n[e]\n');
    expect(into('e')).toBe('[a]\nb = 1\n\n[a.c]\nd = 2\n\n[e]\nx = true\n');
  });

  it('has no place in a table that only its subtables make', () => {
    const text = '[a.c]\nd = 2\n';
    expect(insertKey(mapAt(parseConfig(text, 'toml'), 'a'), 'x', 1, 'toml', text)).toBeUndefined();
  });
});

describe('removeEntry', () => {
  it.each<[Language, string, string]>([
    ['yaml', '# one\ntp: 4 # ranks\n# two\npp: 2\n', '# one\n# two\npp: 2\n'],
    ['yaml', 'pp: 2\ntp:\n  - a\n  - b\n', 'pp: 2\n'],
    ['yaml', 'pp: 2\ntp: >\n  text\n', 'pp: 2\n'],
    ['yaml', 'tp: 4\n', '{}\n'],
    ['yaml', '{tp: 4, pp: 2}', '{pp: 2}'],
    ['yaml', '{pp: 2, tp: 4}', '{pp: 2}'],
    [
      'json',
      '{\n  // first\n  "tp": 4, // ranks\n  // second\n  "pp": 2\n}',
      '{\n  // first\n  // second\n  "pp": 2\n}',
    ],
    ['json', '{\n  "pp": 2, // two\n  // last\n  "tp": 4\n}', '{\n  "pp": 2 // two\n  // last\n}'],
    ['json', '{"tp": 4}', '{}'],
    ['toml', 'pp = 2\ntp = 4 # x\n[a]\n', 'pp = 2\n[a]\n'],
  ])('in %s %j leaves %j', (language, text, expected) => {
    expect(edited(text, language, (tree) => removeEntry(mapAt(tree), 'tp', language, text))).toBe(expected);
  });

  it('keeps the dash when the first key of a list item goes', () => {
    const text = '- tp: 4\n  pp: 2\n';
    expect(edited(text, 'yaml', (tree) => removeEntry(mapAt(tree, '0'), 'tp', 'yaml', text))).toBe('- pp: 2\n');
  });

  it('leaves what a merge key brought', () => {
    const text = 'b: &b {tp: 4}\nrun:\n  <<: *b\n';
    expect(removeEntry(mapAt(parseConfig(text, 'yaml'), 'run'), 'tp', 'yaml', text)).toEqual([]);
  });
});

describe('scalarText', () => {
  it.each<Language>(['yaml', 'json', 'toml'])('is read back as the value in %s', (language) => {
    const separator = language === 'toml' ? ' = ' : ': ';
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.boolean()),
        (value) => {
          const source = scalarText(value, language);
          const text = language === 'json' ? `{"k": ${source}}` : `k${separator}${source}\n`;
          const node = getPath(parseConfig(text, language).documents[0], ['k']);
          const read = node?.kind === 'scalar' ? node.value : undefined;
          // Integers beyond 2^53 come back exact, as bigint.
          expect(typeof read === 'bigint' ? Number(read) : read).toEqual(
            Object.is(value, -0) ? expect.closeTo(0) : value,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Every map of a tree with its path. */
function mapsOf(tree: ConfigTree): { readonly path: readonly string[]; readonly map: MapNode }[] {
  const maps: { path: readonly string[]; map: MapNode }[] = [];
  for (const root of tree.documents)
    walk(root, (node, path) => {
      if (node.kind === 'map') maps.push({ path, map: node });
    });
  return maps;
}

function changed(data: Data, path: readonly string[], change: (map: { [key: string]: Data }) => void): Data {
  const copy = structuredClone(data);
  let at: Data = copy;
  for (const step of path) at = (at as { [key: string]: Data })[step] ?? null;
  change(at as { [key: string]: Data });
  return copy;
}

describe('edits of any config', () => {
  const writers = {
    yaml: (data: Data) => stringify(data, { version: '1.1', lineWidth: 0 }),
    'yaml flow': (data: Data) => stringify(data, { version: '1.1', collectionStyle: 'flow' }),
    json: (data: Data) => JSON.stringify(data, null, 2),
    'json in one line': (data: Data) => JSON.stringify(data),
  };
  it.each(Object.entries(writers))('change what is meant and nothing else, in %s', (name, write) => {
    const language = name.startsWith('yaml') ? 'yaml' : 'json';
    fc.assert(
      fc.property(
        config,
        fc.nat(),
        fc.nat(),
        fc.constantFrom(7, 'x y', 'yes', true, 2.5),
        (data, pickMap, pickKey, value) => {
          const text = write(data);
          const tree = parseConfig(text, language);
          const maps = mapsOf(tree);
          const { path, map } = maps[pickMap % maps.length] ?? { path: [], map: mapAt(tree) };
          const before = dataOf(map);
          const read = (edits: readonly { span: { start: number; end: number }; newText: string }[]): Data => {
            const root = parseConfig(applyEdits(text, edits), language).documents[0];
            return root === undefined ? null : dataOf(root);
          };
          const whole = tree.documents[0] === undefined ? null : dataOf(tree.documents[0]);
          const insert = insertKey(map, 'zz_new', value, language, text);
          expect(insert).toBeDefined();
          if (insert !== undefined)
            expect(read([insert])).toEqual(
              changed(whole, path, (at) => {
                at['zz_new'] = value;
              }),
            );
          const keys = Object.keys(before as object);
          const key = keys[pickKey % Math.max(1, keys.length)];
          const entry = map.entries.find((candidate) => candidate.key === key);
          if (key === undefined || entry === undefined) return;
          expect(read(removeEntry(map, key, language, text))).toEqual(
            changed(whole, path, (at) => {
              Reflect.deleteProperty(at, key);
            }),
          );
          if (entry.value.kind !== 'scalar') return;
          const replaced = read([replaceValue(entry.value, scalarText(value, language), text)]);
          expect(replaced).toEqual(
            changed(whole, path, (at) => {
              at[key] = value;
            }),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
