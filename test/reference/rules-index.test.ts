import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { describeShared, sharedJson } from '../shared';
import { coverageTables } from './support/rule-coverage';

const RULES = resolve(import.meta.dirname, '../../docs/rules');
const INDEX = join(RULES, 'README.md');
const UNDECIDED = JSON.parse(
  readFileSync(join(import.meta.dirname, 'support/undecided-rules.json'), 'utf8'),
) as Readonly<Record<string, string>>;

interface Row {
  readonly rule: string;
  readonly severity: string;
  readonly owners: readonly string[];
  readonly covers: readonly string[];
}

/** Pages that hold several rules, a heading each, beside the pages of one rule. */
function severityOf(rule: string): string {
  const page = join(RULES, `${rule}.md`);
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
  return /\*\*Severity\*\*\s+([^·\n]+)/.exec(text)?.[1]?.trim() ?? '';
}

function rows(): Row[] {
  const table = new Map<string, { owners: Set<string>; covers: Set<string> }>();
  const pages = readdirSync(RULES).filter((file) => file.endsWith('.md') && !/^(?:README|more-findings)/.test(file));
  for (const page of pages) table.set(page.replace('.md', ''), { owners: new Set(), covers: new Set() });
  for (const { owner, entries } of coverageTables())
    for (const { rule, covers } of entries) {
      const row = table.get(rule) ?? { owners: new Set(), covers: new Set() };
      table.set(rule, row);
      row.owners.add(owner);
      for (const id of covers) row.covers.add(id);
    }
  return [...table]
    .map(([rule, { owners, covers }]) => ({
      rule,
      severity: severityOf(rule),
      owners: [...owners].sort(),
      covers: [...covers].sort(),
    }))
    .sort((a, b) => a.rule.localeCompare(b.rule));
}

async function indexText(): Promise<string> {
  const all = rows();
  const lines = all.map(
    ({ rule, severity, owners, covers }) =>
      `| ${existsSync(join(RULES, `${rule}.md`)) ? `[${rule}](${rule}.md)` : rule} | ${severity} | ${owners.join(', ')} | ${covers.join(' ')} |`,
  );
  const undecided = Object.entries(UNDECIDED).map(([id, reason]) => `| ${id} | ${reason} |`);
  const text = `# Rules

Every rule by its id, with the formats that have it and the start-up checks of the frameworks that it stands for (ids of a gathered list:
SG SGLang, VL vLLM, TR TensorRT-LLM, CT compressed-tensors, LC llm-compressor, SRT srt-slurm, MEG Megatron-LM, BRG Megatron-Bridge,
TT torchtitan, NT nanotron, DS DeepSpeed (three digits) and DeepSeek-V3 (two), ACC Accelerate, LF LLaMA-Factory, AX Axolotl, VRL verl).
\`shared\` rules are conditions on the plan, written once for every framework that has them. A severity that differs by framework is on the page.
This page is written by \`npm run rules\`.

| Rule | Severity | Formats | Stands for |
| --- | --- | --- | --- |
${lines.join('\n')}

## Checks that no file decides

| Check | Why |
| --- | --- |
${undecided.join('\n')}
`;
  return format(text, { ...(await resolveConfig(INDEX)), filepath: INDEX });
}

describe('the index of the rules', () => {
  it('is what the code says', async () => {
    const text = await indexText();
    if (process.env['SHARDLENS_WRITE'] === '1') writeFileSync(INDEX, text);
    expect(existsSync(INDEX) ? readFileSync(INDEX, 'utf8') : '').toBe(text);
  });
  it('has a page for every rule that covers a check', () => {
    const missing = rows().filter(({ rule, covers }) => covers.length > 0 && !existsSync(join(RULES, `${rule}.md`)));
    expect(missing.map(({ rule }) => rule)).toEqual([]);
  });
});

interface Gathered {
  readonly id: string;
}

describeShared('the gathered start-up checks', ['research', 'training', 'rules.json'], () => {
  const gathered = [
    ...sharedJson<{ rules: Gathered[] }>('research', 'inference', 'rules.json').rules,
    ...sharedJson<Gathered[]>('research', 'training', 'rules.json'),
  ].map(({ id }) => id);
  const covered = new Set(coverageTables().flatMap(({ entries }) => entries.flatMap(({ covers }) => covers)));
  it('are covered to nine tenths of what a file decides', () => {
    const decidable = gathered.filter((id) => !(id in UNDECIDED));
    const have = decidable.filter((id) => covered.has(id));
    console.log(
      `${String(have.length)} of ${String(decidable.length)} decidable checks, ${String(gathered.length)} in all`,
    );
    expect(have.length / decidable.length).toBeGreaterThanOrEqual(0.9);
  });
  it('are left out by name alone', () => {
    expect(gathered.filter((id) => !covered.has(id) && !(id in UNDECIDED))).toEqual([]);
  });
});
