import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePython } from '../../../server/src/syntax/python';
import { getPath } from '../../../server/src/syntax/query';
import type { ConfigNode, ConfigTree, ScalarNode, Span } from '../../../server/src/syntax/tree';

const REGISTRY = readFileSync(
  resolve(import.meta.dirname, '../../fixtures/dialects/torchtitan-python/config_registry.py'),
  'utf8',
);

const JOB = `import os
SIZES = {"small": 2, "large": 8}
LENGTH = 2 * 4096


def _base(degree=1, *, layers: int = 4):
    return Job(
        name="base",
        mesh=Mesh(tensor=degree, pipeline=[1, -2, 0x10]),
        length=LENGTH,
        layers=layers,
        path=os.environ["HOME"],
    )


def large() -> "Job":
    """A job."""
    job = _base(SIZES["large"], layers=1_000)
    job.name = "large" + "-job"
    job.mesh.context = 3 if LENGTH > 4096 else 1  # known
    job.flags = [True, None, not False]
    return job
`;

function at(tree: ConfigTree, owner: string, ...path: string[]): ConfigNode | undefined {
  const root = tree.documents.find((document) => document.kind === 'map' && document.call?.owner?.name === owner);
  return root === undefined ? undefined : getPath(root, path);
}

function scalarAt(owner: string, ...path: string[]): ScalarNode {
  const node = at(parsePython(JOB), owner, ...path);
  if (node?.kind !== 'scalar') throw new Error(`${path.join('.')} is no scalar`);
  return node;
}

const textOf = ({ start, end }: Span): string => JOB.slice(start, end);

/** Every span of a tree: inside the text, keys before values, children anywhere (a value may come from another function). */
function faults(tree: ConfigTree): string[] {
  const out: string[] = [];
  const check = (span: Span, what: string): void => {
    const fits = span.start >= 0 && span.start <= span.end && span.end <= tree.text.length;
    if (!fits || !Number.isInteger(span.start) || !Number.isInteger(span.end))
      out.push(`${what} ${JSON.stringify(span)}`);
  };
  const visit = (node: ConfigNode): void => {
    check(node.span, node.kind);
    if (node.kind === 'list') node.items.forEach(visit);
    if (node.kind !== 'map') return;
    for (const { keySpan, key, value } of node.entries) {
      check(keySpan, `key ${key}`);
      visit(value);
    }
  };
  tree.documents.forEach(visit);
  tree.comments.forEach(({ span }) => {
    check(span, 'comment');
  });
  return out;
}

describe('what a Python file builds', () => {
  it('has a document a public function, with the function as its owner', () => {
    const { documents, comments } = parsePython(JOB);
    expect(documents).toHaveLength(1);
    const [job] = documents;
    const call = job?.kind === 'map' ? job.call : undefined;
    expect(call).toMatchObject({ callee: 'Job', owner: { name: 'large' } });
    expect(call?.owner === undefined ? '' : textOf(call.owner.nameSpan)).toBe('large');
    expect(comments.map(({ text }) => text)).toEqual(['known']);
  });

  it.each([
    [['name'], 'large-job'],
    [['mesh', 'tensor'], 8],
    [['mesh', 'context'], 3],
    [['length'], 8192],
    [['layers'], 1000],
  ])('reads %s', (path, value) => {
    expect(scalarAt('large', ...path).value).toBe(value);
  });

  it('reads lists, signs, bases and constants', () => {
    const list = (...path: string[]): unknown[] => {
      const node = at(parsePython(JOB), 'large', ...path);
      return node?.kind === 'list' ? node.items.map((item) => (item.kind === 'scalar' ? item.value : item.kind)) : [];
    };
    expect(list('mesh', 'pipeline')).toEqual([1, -2, 16]);
    expect(list('flags')).toEqual([true, null, true]);
  });

  it('leaves open what only running the program tells', () => {
    expect(scalarAt('large', 'path').unresolved).toBe(true);
  });

  it('stands where the words stand', () => {
    const keys = at(parsePython(JOB), 'large');
    const entry = (name: string): string =>
      keys?.kind === 'map' ? textOf(keys.entries.find(({ key }) => key === name)?.keySpan ?? { start: 0, end: 0 }) : '';
    expect([entry('name'), entry('length'), entry('layers')]).toEqual(['name', 'length', 'layers']);
    expect(textOf(scalarAt('large', 'mesh', 'context').span)).toContain('3');
    expect(textOf(scalarAt('large', 'name').span)).toBe('"large" + "-job"');
    expect(textOf(scalarAt('large', 'path').span)).toBe('os.environ["HOME"]');
    expect(faults(parsePython(JOB))).toEqual([]);
    expect(faults(parsePython(REGISTRY))).toEqual([]);
  });
});

describe('broken Python', () => {
  it.each([
    ['nothing', ''],
    ['an open call', 'def job():\n    return Job(a=1,'],
    ['an open text', 'def job():\n    return Job(a="x'],
    ['no body', 'def job():'],
    ['wrong indentation', 'def job():\n  x = Job(a=1)\n      return x\n y = 2'],
    ['a conflict', '<<<<<<< ours\ndef job():\n    return Job(a=1)\n=======\n>>>>>>> theirs\n'],
    ['a function that calls itself', 'def job():\n    return job()\n'],
    ['functions that call one another', 'def a():\n    return b()\ndef b():\n    return a()\n'],
    ['a list that holds itself', 'x = []\nx.append(x)\ny = Job(a=x)\n'],
    ['an object that holds itself', 'x = Job(a=1)\nx.b = x\n'],
    ['a division by zero', 'x = Job(a=1 / 0, b=1 // 0, c=1 % 0)\n'],
    ['an enormous power', 'x = Job(a=9 ** 9 ** 9 ** 9)\n'],
    ['an enormous shift', 'x = Job(a=1 << 10 ** 9)\n'],
    ['an enormous text', 'x = Job(a="x" * 10 ** 12, b=[0] * 10 ** 12)\n'],
    ['deep brackets', `x = Job(a=${'('.repeat(3000)}1${')'.repeat(3000)})\n`],
    ['deep lists', `x = Job(a=${'['.repeat(3000)}`],
    ['control characters', 'x = Job(a=\u0000\u0001, b="\uD800")\n'],
    ['names of prototypes', 'x = Job(__proto__=1, constructor=2, toString=3)\nx.__proto__.y = 4\n'],
    ['another language', '{"a": [1, 2}\nkey: value\n#!/bin/sh\n'],
  ])('%s gives a tree with sound places', (_name, text) => {
    expect(faults(parsePython(text))).toEqual([]);
  });

  it('gives one for every beginning and every line left out of a file', () => {
    for (let end = 0; end < JOB.length; end += 1) expect(faults(parsePython(JOB.slice(0, end)))).toEqual([]);
    const lines = JOB.split('\n');
    for (let gone = 0; gone < lines.length; gone += 1)
      expect(faults(parsePython(lines.filter((_line, i) => i !== gone).join('\n')))).toEqual([]);
  });
});
