import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startClient, type TestClient } from './client';
import { PLAN } from './samples';

const ALIAS_BOMB = `a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
h: [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]
`;

const value = (text: string): string => PLAN.replace('tensor: 2', `tensor: ${text}`);

/** Everything a file may hold that no one would write on purpose. */
const INPUTS: readonly (readonly [what: string, name: string, text: string])[] = [
  ['nothing', 'a.shardlens.yaml', ''],
  ['only a byte order mark', 'b.shardlens.yaml', '\uFEFF'],
  ['conflict markers', 'c.shardlens.yaml', `<<<<<<< HEAD\n${PLAN}=======\n${value('4')}>>>>>>> theirs\n`],
  ['an alias bomb', 'd.shardlens.yaml', `${PLAN}${ALIAS_BOMB}`],
  ['deep flow nesting', 'e.shardlens.yaml', `${PLAN}x: ${'['.repeat(20_000)}`],
  ['deep block nesting', 'f.shardlens.yaml', Array.from({ length: 400 }, (_, at) => `${' '.repeat(at)}k:\n`).join('')],
  ['deep JSON', 'g.json', `{"architectures":["A"],"hidden_size":${'['.repeat(5000)}${']'.repeat(5000)}}`],
  ['bytes of a binary', 'h.shardlens.yaml', `shardlens: 1\n\0\u0001\u0002\uFFFD${'\0'.repeat(1000)}`],
  ['one line of a megabyte', 'i.shardlens.yaml', `${PLAN}note: "${'x'.repeat(1024 * 1024)}"\n`],
  ['three megabytes', 'j.shardlens.yaml', PLAN + '# padding\n'.repeat(300_000)],
  ['a list of 100,000 numbers', 'k.shardlens.yaml', `${PLAN}stages: [${'1, '.repeat(100_000)}1]\n`],
  ['not a number', 'l.shardlens.yaml', value('.nan')],
  ['infinity', 'm.shardlens.yaml', value('.inf')],
  ['zero', 'n.shardlens.yaml', value('0')],
  ['minus one', 'o.shardlens.yaml', value('-1')],
  ['a fraction', 'p.shardlens.yaml', value('1.5')],
  ['a huge integer', 'q.shardlens.yaml', value('123456789012345678901234567890')],
  ['2^53', 'r.shardlens.yaml', value('9007199254740992')],
  ['a billion stages', 's.shardlens.yaml', PLAN.replace('pipeline: 4', 'pipeline: 1000000000')],
  ['a billion microbatches', 't.shardlens.yaml', PLAN.replace('global: 64', 'global: 99999999999')],
  ['a list for a number', 'u.shardlens.yaml', value('[1, 2]')],
  ['a map for a model', 'v.shardlens.yaml', PLAN.replace('llama-3.1-8b', '{ a: { b: c } }')],
  ['prototype keys', 'w.shardlens.yaml', `${PLAN}__proto__: { polluted: 1 }\nconstructor: 2\ntoString: 3\n`],
  ['half a file', 'x.shardlens.yaml', PLAN.slice(0, 120)],
  ['tabs', 'y.shardlens.yaml', PLAN.replaceAll('  ', '\t')],
  ['old Mac line ends', 'z.shardlens.yaml', PLAN.replaceAll('\n', '\r')],
  ['lone surrogates', 'za.shardlens.yaml', `${PLAN}name: "\uD800 \uDC00"\n`],
  ['a broken TOML', 'zb.shardlens.toml', 'shardlens = 1\n[parallelism\ntensor = = 2\n'],
  [
    'a huge model',
    'zc/config.json',
    '{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":1e308,"num_hidden_layers":1e9,"num_attention_heads":7,"vocab_size":-1,"intermediate_size":1e300}',
  ],
];

const QUESTIONS: readonly (readonly [method: string, more: object])[] = [
  ['textDocument/hover', { position: { line: 5, character: 4 } }],
  ['textDocument/completion', { position: { line: 5, character: 10 } }],
  ['textDocument/codeLens', {}],
  ['textDocument/documentLink', {}],
  ['textDocument/definition', { position: { line: 2, character: 9 } }],
  [
    'textDocument/codeAction',
    { range: { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } }, context: { diagnostics: [] } },
  ],
  ['shardlens/plan', {}],
  ['shardlens/memory', {}],
  ['shardlens/schedule', {}],
  ['shardlens/placement', {}],
];

let client: TestClient;
beforeAll(async () => {
  client = await startClient();
});
afterAll(async () => {
  await client.close();
});

describe('a file that holds', () => {
  it.each(INPUTS)('%s is answered, and the server lives', async (_what, name, text) => {
    const document = client.open(name, text, name.endsWith('.json') ? 'json' : 'yaml');
    const found = await document.diagnostics();
    for (const { message, range } of found) {
      expect(String(message).length).toBeGreaterThan(5);
      expect(message).not.toMatch(/\bNaN\b|undefined|\[object Object\]/);
      expect(range.start.line).toBeGreaterThanOrEqual(0);
    }
    // JSON turns numbers that are none into null, so none may be in any answer to begin with.
    for (const [method, more] of QUESTIONS) {
      const answer = JSON.stringify(await document.ask(method, more));
      expect(answer, method).not.toMatch(/\bNaN\b|-?Infinity\b/);
    }
    await document.close();
    const internal = client.errors.filter((line) => !line.includes('connection'));
    expect(internal).toEqual([]);
  });

  it('anything leaves the server as it was', async () => {
    const document = client.open('after.shardlens.yaml', PLAN);
    expect((await document.settled()).filter(({ severity }) => severity === 1)).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('positions outside of the text are answered', async () => {
    const document = client.open('outside.shardlens.yaml', PLAN);
    const far = { position: { line: 1_000_000, character: 1_000_000 } };
    expect(await document.ask('textDocument/hover', far)).toBeNull();
    expect(await document.ask('textDocument/definition', far)).toBeNull();
    await document.ask('textDocument/completion', far);
    expect(client.errors).toEqual([]);
  });
});
