import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectDialect } from '../../../server/src/dialects/registry';
import { mayBeConfig } from '../../../server/src/protocol/candidate';
import { parseConfig } from '../../../server/src/syntax/parse';
import { describeShared } from '../../shared';

const READABLE = /\.(?:ya?ml|jsonc?|toml)$/;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => path.join(folder, file))
    .filter((file) => READABLE.test(file) && statSync(file).isFile());
}

describe('whether a server is worth starting', () => {
  it.each([
    ['package.json', '{ "name": "web-app", "version": "1.0.0", "scripts": { "build": "vite build" } }'],
    ['tsconfig.json', '{ "compilerOptions": { "strict": true, "target": "es2022" }, "include": ["src"] }'],
    ['docker-compose.yaml', 'services:\n  db:\n    image: postgres\n    ports: ["5432:5432"]\n'],
    ['Cargo.toml', '[package]\nname = "tool"\nedition = "2021"\n[dependencies]\nserde = "1"\n'],
    ['values.yaml', 'replicaCount: 1\nimage:\n  repository: nginx\n  tag: latest\nservice:\n  type: ClusterIP\n'],
  ])('no for an everyday %s', (name, text) => {
    expect(mayBeConfig(name, text)).toBe(false);
  });

  it('yes for a new, still empty plan by its name', () => {
    expect(mayBeConfig('/w/new.shardlens.yaml', '')).toBe(true);
  });

  it('no for any file in a folder of our name', () => {
    expect(mayBeConfig('/home/me/shardlens/settings.json', '{ "editor.fontSize": 12 }')).toBe(false);
  });

  it('looks at the head of a huge file only', () => {
    expect(mayBeConfig('/w/a.yaml', `${'x: 1\n'.repeat(100_000)}tp_size: 8\n`)).toBe(false);
  });

  it('yes for every sample', () => {
    const files = filesBelow(path.resolve(import.meta.dirname, '../../../samples')).filter(
      (file) => !file.endsWith('expert-loads.json'),
    );
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((file) => !mayBeConfig(file, readFileSync(file, 'utf8')))).toEqual([]);
  });
});

describeShared('every file of the corpus that a dialect recognises', ['corpus'], (folder) => {
  it('is worth starting a server', () => {
    const read = (file: string): string => readFileSync(file, 'utf8');
    const own = filesBelow(folder).filter((file) => {
      const language = file.endsWith('.toml') ? 'toml' : /\.jsonc?$/.test(file) ? 'json' : 'yaml';
      return detectDialect(parseConfig(read(file), language), path.basename(file)) !== undefined;
    });
    expect(own.length).toBeGreaterThan(20);
    expect(own.filter((file) => !mayBeConfig(path.basename(file), read(file)))).toEqual([]);
  });
});
