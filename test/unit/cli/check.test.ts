import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { folderWith, json, shardlens } from './run';

interface Checked {
  readonly files: readonly {
    readonly path: string;
    readonly dialect: string | null;
    readonly confidence: number;
    readonly findings: readonly { readonly rule: string; readonly severity: string; readonly line: number }[];
  }[];
}

const HEADS = 'broken/heads.shardlens.yaml';
const FINE = 'deepseek-v3-2048xH800.shardlens.yaml';

let dispose: (() => void) | undefined;
afterEach(() => {
  dispose?.();
  dispose = undefined;
});

describe('shardlens check', () => {
  it('exits with 0 for a fine file and 1 for an error', async () => {
    expect((await shardlens(['check', FINE])).code).toBe(0);
    const { code, out, err } = await shardlens(['check', FINE, HEADS]);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(/13:11\s+error\s+.*\[heads-not-divisible\]/);
    expect(out.trimEnd().split('\n').at(-1)).toBe('1 error, 0 warnings, 0 hints in 2 files');
  });

  it('prints one JSON document with places from 0', async () => {
    const { files } = await json<Checked>(['check', HEADS, 'README.md']);
    expect(files[0]).toMatchObject({ path: HEADS, dialect: 'shardlens' });
    expect(files[0]?.confidence).toBeGreaterThan(0.5);
    expect(files[0]?.findings[0]).toMatchObject({
      rule: 'heads-not-divisible',
      severity: 'error',
      line: 12,
      character: 10,
      endLine: 12,
      endCharacter: 12,
    });
    expect(files[1]).toMatchObject({ dialect: null, confidence: 0, findings: [] });
  });

  it('writes SARIF 2.1.0 with rules, places from 1 and relative files', async () => {
    const { out, code } = await shardlens(['check', HEADS, '--format', 'sarif']);
    expect(code).toBe(1);
    const log = JSON.parse(out) as {
      version: string;
      runs: { tool: { driver: { rules: { id: string }[] } }; results: unknown[] }[];
    };
    expect(log.version).toBe('2.1.0');
    expect(log.runs[0]?.tool.driver.rules).toEqual([{ id: 'heads-not-divisible' }]);
    expect(log.runs[0]?.results[0]).toMatchObject({
      ruleId: 'heads-not-divisible',
      ruleIndex: 0,
      level: 'error',
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: HEADS, uriBaseId: 'SRCROOT' },
            region: { startLine: 13, startColumn: 11, endLine: 13, endColumn: 13 },
          },
        },
      ],
    });
  });

  it('writes annotations for GitHub, with what would end a property escaped', async () => {
    const folder = folderWith({
      'a,b:c.shardlens.yaml': 'shardlens: 1\ntask: training\nmodel: llama-3.1-8b\nparallelism: { tensor: 0 }\n',
    });
    dispose = folder.dispose;
    const { out, code } = await shardlens(['check', 'a,b:c.shardlens.yaml', '--format', 'github'], folder.path);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^::error file=a%2Cb%3Ac\.shardlens\.yaml,line=4,endLine=4,col=\d+,endColumn=\d+,title=[\w-]+::.+\n/m,
    );
  });

  it('counts warnings against --max-warnings', async () => {
    const folder = folderWith({ 'x.shardlens.yaml': 'shardlens: 1\nshardlens: 1\ntask: training\n' });
    dispose = folder.dispose;
    expect((await shardlens(['check', 'x.shardlens.yaml'], folder.path)).code).toBe(0);
    expect((await shardlens(['check', 'x.shardlens.yaml', '--max-warnings', '0'], folder.path)).code).toBe(1);
    expect((await shardlens(['check', 'x.shardlens.yaml', '--max-warnings', '1'], folder.path)).code).toBe(0);
  });

  it('tells a file that cannot be read and still checks the others', async () => {
    const { code, out, err } = await shardlens(['check', 'nowhere.yaml', HEADS, 'broken']);
    expect(code).toBe(2);
    expect(err).toBe(
      'shardlens check: cannot read nowhere.yaml: there is no such file\nshardlens check: cannot read broken: it is a folder\n',
    );
    expect(out).toContain('heads-not-divisible');
  });

  it('reads companions below the working directory only, links followed', async () => {
    const outside = folderWith({
      'config.json':
        '{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":4096,"intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":128256}',
    });
    const folder = folderWith({
      'serve.yaml': 'model-path: ./model\ntp-size: 3\nmem-fraction-static: 0.8\nattention-backend: flashinfer\n',
    });
    dispose = () => {
      folder.dispose();
      outside.dispose();
    };
    symlinkSync(outside.path, path.join(folder.path, 'model'));
    const linked = await json<Checked>(['check', 'serve.yaml'], folder.path);
    expect(linked.files[0]?.findings.map(({ rule }) => rule)).not.toContain('heads-not-divisible');
    // From a working directory that holds both, the same link is fine.
    const both = await json<Checked>(['check', path.join(folder.path, 'serve.yaml')], path.dirname(folder.path));
    expect(both.files[0]?.findings.map(({ rule }) => rule)).toContain('heads-not-divisible');
  });
});

describe('wrong usage', () => {
  it.each([
    [['tune', 'x.yaml'], /"tune" is no command; the commands are check, estimate, schedule, place, plan, diff, lsp\n$/],
    [[], /name a command/],
    [['check'], /name at least one file/],
    [['check', HEADS, '--format', 'xml'], /--format must be one of text, json, sarif, github, not "xml"/],
    [['check', HEADS, '--max-warnings', '-'], /--max-warnings must be a whole number/],
    [['check', HEADS, '--bogus'], /Unknown option '--bogus'/],
    [['estimate'], /name the file to estimate/],
    [['estimate', HEADS, FINE], /one file is expected, but 2 are given/],
    [['estimate', 'README.md'], /was not recognised/],
    [['estimate', FINE, '--gpus', '0'], /--gpus must be a whole number of at least 1, not "0"/],
    [['schedule'], /name a file, or give --kind, --ranks and --microbatches/],
    [['schedule', '--kind', 'nope'], /--kind must be one of gpipe, /],
    [['schedule', '--kind', '1f1b', '--ranks', '1.5', '--microbatches', '4'], /--ranks must be a whole number/],
    [['schedule', '--kind', '1f1b', '--ranks', '2', '--microbatches', '4', '--durations', 'F=x'], /not "F=x"/],
    [['schedule', '--kind', '1f1b', '--ranks', '2', '--microbatches', '4', '--durations', 'Q=1'], /not "Q=1"/],
    [['schedule', 'sglang-deepseek-v3.yaml'], /has no training pipeline/],
    [['schedule', 'README.md'], /was not recognised/],
    [['place'], /name a file, or give --loads/],
    [['place', FINE, '--policy', 'magic'], /--policy must be one of eplb/],
    [['place', '--loads', 'README.md', '--gpus', '2'], /cannot use README.md as loads: the file is neither JSON/],
    [['lsp', '--tcp'], /--tcp is no option/],
  ])('%j is told in one sentence, with exit code 2', async (args, message) => {
    const { code, out, err } = await shardlens(args as string[]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(message as RegExp);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  it('help is there for all and for each', async () => {
    expect((await shardlens(['--help'])).out).toContain('shardlens COMMAND');
    for (const name of ['check', 'estimate', 'schedule', 'place', 'lsp']) {
      const { code, out } = await shardlens([name, '--help']);
      expect({ code, first: out.split('\n')[0]?.startsWith(`shardlens ${name}`) }).toEqual({ code: 0, first: true });
    }
    expect((await shardlens(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
