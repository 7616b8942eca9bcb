import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');

/** What each layer may import: other layers, and packages by name. A layer may always import itself. */
const LAYERS: Readonly<Record<string, { readonly layers: readonly string[]; readonly packages: readonly string[] }>> = {
  'server/src/engine': { layers: [], packages: [] },
  'server/src/syntax': {
    layers: [],
    packages: ['yaml', 'jsonc-parser', 'toml-eslint-parser', '@lezer/python', '@lezer/common'],
  },
  'server/src/plan': { layers: ['server/src/engine', 'server/src/syntax'], packages: [] },
  'server/src/dialects': {
    layers: ['server/src/engine', 'server/src/plan', 'server/src/syntax', 'server/src/generated', 'schemas'],
    packages: ['ajv'],
  },
  'server/src/protocol': { layers: [], packages: [] },
  'server/src/features': {
    layers: ['server/src/engine', 'server/src/plan', 'server/src/syntax', 'server/src/dialects', 'server/src/protocol'],
    packages: ['vscode-languageserver-types', 'vscode-uri', 'picomatch'],
  },
  'server/src/lsp': {
    // The manifest for the version alone.
    layers: ['server/src/plan', 'server/src/syntax', 'server/src/features', 'server/src/protocol', 'package.json'],
    packages: ['vscode-languageserver', 'vscode-languageserver-textdocument'],
  },
  'server/src/cli': {
    layers: [
      'server/src/engine',
      'server/src/plan',
      'server/src/syntax',
      'server/src/dialects',
      'server/src/features',
      'server/src/lsp',
      // For the version alone.
      'package.json',
    ],
    packages: [],
  },
  'client/src': { layers: ['server/src/protocol'], packages: ['vscode', 'vscode-languageclient'] },
  'client/webview': { layers: ['server/src/protocol'], packages: ['preact'] },
};

/** Layers that run outside browsers and may use Node's own modules. */
const NODE_LAYERS = new Set(['server/src/cli']);
const NODE_FILES = new Set(['server/src/lsp/main-node.ts', 'server/src/lsp/disk.ts', 'server/src/lsp/git-head.ts']);

/** Names that would make the engine depend on a clock, chance or a host. */
const IMPURE =
  /\b(?:Date\.now|new Date|Math\.random|performance\.now|setTimeout|console\.|process\.|globalThis|localStorage|document\.)/;

function layerOf(file: string): string | undefined {
  return (
    Object.keys(LAYERS).find((layer) => file.startsWith(`${layer}/`)) ??
    (file.startsWith('server/src/generated/')
      ? 'server/src/generated'
      : file.startsWith('schemas/')
        ? 'schemas'
        : file === 'package.json'
          ? file
          : undefined)
  );
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

/** Why a file may not import what it imports; empty when it may. */
function importFaults(file: string, source: string): string[] {
  const layer = layerOf(file);
  const rule = layer === undefined ? undefined : LAYERS[layer];
  if (layer === undefined || rule === undefined) return [];
  const imports = ts.preProcessFile(source, true, true).importedFiles.map(({ fileName }) => fileName);
  return imports.flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = layerOf(path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier)));
      return target === layer || (target !== undefined && rule.layers.includes(target))
        ? []
        : [`${file} imports ${specifier}`];
    }
    if (specifier.startsWith('node:'))
      return NODE_LAYERS.has(layer) || NODE_FILES.has(file) ? [] : [`${file} imports ${specifier}`];
    return rule.packages.includes(packageOf(specifier)) ? [] : [`${file} imports ${specifier}`];
  });
}

/** Comments and texts may say anything; only code counts. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '').replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''");
}

function styleFaults(file: string, source: string): string[] {
  const faults: string[] = [];
  const lines = source.split('\n').length;
  if (lines > 450) faults.push(`${file} has ${String(lines)} lines`);
  if (/^export default/m.test(source)) faults.push(`${file} has a default export`);
  if (/^export \* from/m.test(source)) faults.push(`${file} is a barrel`);
  if (file.startsWith('server/src/engine/') && IMPURE.test(withoutComments(source))) faults.push(`${file} is not pure`);
  return faults;
}

function sources(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => path.posix.join(folder, file.split(path.sep).join('/')))
    .filter((file) => /\.tsx?$/.test(file) && !file.startsWith('server/src/generated/'));
}

const FILES = [...sources('server/src'), ...sources('client')];
const TEXTS = new Map(FILES.map((file) => [file, readFileSync(path.join(ROOT, file), 'utf8')]));

describe('the layer rule', () => {
  it('finds the sources', () => {
    expect(FILES.length).toBeGreaterThan(100);
  });

  it('holds for every import', () => {
    expect(FILES.flatMap((file) => importFaults(file, TEXTS.get(file) ?? ''))).toEqual([]);
  });

  it.each([
    ['server/src/engine/a.ts', "import { x } from '../plan/plan';"],
    ['server/src/engine/a.ts', "import type { X } from 'yaml';"],
    ['server/src/features/a.ts', "import fs from 'node:fs';"],
    ['server/src/features/a.ts', "import { createConnection } from 'vscode-languageserver';"],
    ['client/webview/a.tsx', "import { simulate } from '../../server/src/engine/schedule/simulate';"],
    ['server/src/lsp/server.ts', "export { x } from '../../../client/src/x';"],
  ])('would notice %s with %s', (file, source) => {
    expect(importFaults(file, source)).toHaveLength(1);
  });
});

describe('small rooms', () => {
  it('has no file above 450 lines, no barrel, no default export and a pure engine', () => {
    expect(FILES.flatMap((file) => styleFaults(file, TEXTS.get(file) ?? ''))).toEqual([]);
  });

  it.each([
    ['a default export', 'export default 1;'],
    ['a barrel', "export * from './a';"],
    ['a clock in the engine', 'const t = Date.now();'],
    ['chance in the engine', 'const x = Math.random();'],
    ['451 lines', '\n'.repeat(450)],
  ])('would notice %s', (_, source) => {
    expect(styleFaults('server/src/engine/a.ts', source)).toHaveLength(1);
  });

  it('does not take words in comments and texts for code', () => {
    expect(styleFaults('server/src/engine/a.ts', "// not Date.now\nconst a = 'Math.random';\n")).toEqual([]);
  });
});

describe('what the project says of itself', () => {
  it('names no place of the machine it was made on', () => {
    const places = new RegExp(['/wo' + 'rk/', '/ro' + 'ot/', 'regis' + 'try\\.npm'].join('|'));
    expect(FILES.filter((file) => places.test(TEXTS.get(file) ?? ''))).toEqual([]);
  });
});
