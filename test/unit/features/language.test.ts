import { describe, expect, it } from 'vitest';
import type { TextEdit } from 'vscode-languageserver-types';
import { codeActions } from '../../../server/src/features/code-actions';
import { codeLenses } from '../../../server/src/features/code-lens';
import { completion } from '../../../server/src/features/completion';
import { diagnostics } from '../../../server/src/features/diagnostics';
import { hover } from '../../../server/src/features/hover';
import { definition, documentLinks } from '../../../server/src/features/links';
import { analyzeMarked, analyzeText, applied, DENSE } from './support';

const BATCH = 'batch: { micro: 1, global: 8, sequence: 4096 }\n';

function hoverAt(source: string): string {
  const { analysis, position } = analyzeMarked(source);
  const answer = hover(analysis, position);
  return answer === null ? '' : (answer.contents as { value: string }).value;
}

describe('hover', () => {
  it('answers in its first line, then the parts, then the key', () => {
    const text = hoverAt(`${DENSE}parallelism:\n  ten|sor: 2\n${BATCH}`);
    const lines = text.split('\n');
    expect(lines[0]).toMatch(/^\*\*\d+\.\d of \d+\.\d GiB on rank 0\*\*$/);
    expect(text).toContain('32 heads: 16 a rank; 8 KV heads: 4 a rank');
    expect(text).toMatch(/\| weights \|.*\| total \|/);
    expect(lines.length).toBeLessThanOrEqual(25);
  });

  it('says what is assumed', () => {
    expect(hoverAt(`${DENSE}parallelism:\n  ten|sor: 2\n`)).toContain('*Assumed:*');
  });

  it('is silent on comments and in files of other kinds', () => {
    expect(hoverAt(`# no|te\n${DENSE}`)).toBe('');
    expect(hoverAt('on: pu|sh\n')).toBe('');
  });
});

describe('completion', () => {
  it('offers legal degrees with what each would bring, and no refused one', () => {
    const { analysis, position } = analyzeMarked(`${DENSE}parallelism:\n  tensor: |\n${BATCH}`);
    const items = completion(analysis, position);
    expect(items.map(({ label }) => label)).toEqual(['1', '2', '4', '8']);
    for (const { detail } of items) expect(detail).toMatch(/^→ [\d.]+ GiB/);
  });

  it('offers the keys of the section, and the text after acceptance is a legal line', () => {
    const { analysis, position } = analyzeMarked(`${DENSE}parallelism:\n  pipe|\n`);
    const item = completion(analysis, position).find(({ label }) => label === 'pipeline');
    expect(item).toBeDefined();
    expect(applied(analysis, item?.textEdit as TextEdit)).toContain('parallelism:\n  pipeline: \n');
  });

  it('offers nothing in files of other kinds', () => {
    const { analysis, position } = analyzeMarked('on: |\n');
    expect(completion(analysis, position)).toEqual([]);
  });
});

describe('code lenses', () => {
  it('stand in one line above the parallel section and each opens a panel', () => {
    const lenses = codeLenses(analyzeText(`${DENSE}parallelism:\n  tensor: 2\n  pipeline: 2\n${BATCH}`));
    expect(new Set(lenses.map(({ range }) => range.start.line)).size).toBe(1);
    expect(lenses.map(({ command }) => command?.command)).toEqual([
      'shardlens.openMemory',
      'shardlens.openTimeline',
      'shardlens.findBetterLayout',
    ]);
    expect(lenses[0]?.command?.title).toMatch(/GiB on rank/);
  });
});

describe('diagnostics and fixes', () => {
  const broken = `${DENSE.replace('heads: 32', 'heads: 30').replace('kv_heads: 8', 'kv_heads: 6')}parallelism:\n  tensor: 4\n${BATCH}`;

  it('stand at the value that should change', () => {
    const analysis = analyzeText(broken);
    const [first] = diagnostics(analysis);
    expect(first).toMatchObject({ code: 'heads-not-divisible', severity: 1, source: 'shardlens' });
    const { start, end } = first?.range ?? { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    expect(analysis.text.slice(analysis.lines.offsetAt(start), analysis.lines.offsetAt(end))).toBe('4');
  });

  it('a fix changes the value alone, and the finding is gone', () => {
    const analysis = analyzeText(broken);
    const reported = diagnostics(analysis);
    const range = reported[0]?.range ?? { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    const actions = codeActions(analysis, range, reported);
    expect(actions.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['Set tensor to 3', 'Ignore heads-not-divisible in this file']),
    );
    const edit = actions[0]?.edit?.changes?.[analysis.uri]?.[0];
    const fixed = applied(analysis, edit as TextEdit);
    expect(fixed.replace(/tensor: \d+/, 'tensor: 4')).toBe(broken);
    expect(analyzeText(fixed).findings.map(({ rule }) => rule)).not.toContain('heads-not-divisible');
  });
});

describe('links', () => {
  const source = 'shardlens: 1\nmodel: ./m/config|.json\nparallelism: { tensor: 4 }\n';

  it('lead to files that are there, and only to those', () => {
    const { analysis, position } = analyzeMarked(source, { files: { 'm/config.json': '{}' } });
    expect(documentLinks(analysis, () => true)).toMatchObject([{ target: 'file:///ws/m/config.json' }]);
    expect(definition(analysis, position, () => true)).toMatchObject({ uri: 'file:///ws/m/config.json' });
    expect(documentLinks(analysis, () => false)).toEqual([]);
  });
});
