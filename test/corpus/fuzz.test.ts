import { expect, it } from 'vitest';
import { estimateAnswer } from '../../server/src/features/estimate';
import { analyzeText } from '../unit/features/support';
import { describeShared } from '../shared';
import { corpusTexts, seeded } from './files';

const EDITS = 20_000;
/** Each file is damaged step by step this often before the next one is taken. */
const STEPS = 4;
/** No answer may take longer; far above what any takes, so that a busy machine raises no alarm. */
const HANG_SECONDS = 5;
/** Larger files are parsed as seldom as they are edited: they would take the whole time for themselves. */
const LARGEST = 60_000;

const VALUES = [
  '-1',
  '0',
  '1e999',
  '.nan',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '99999999999999999999',
  '${x}',
  '{{ y }}',
];
/** Sizes that a slip of the keyboard writes: whole, positive and beyond every machine. */
const SIZES = ['3', '984', '8192', '65536', '1000000', '2147483647', '100000000000'];
const BROKEN = ['{', '}', '[', ']', '"', "'", ':', ',', '\t', '&a', '*a', '<<: *b', '\u0000', '\\', '#', '|', '---\n'];

type Pick = (bound: number) => number;

function lineRange(text: string, pick: Pick): [start: number, end: number] {
  const at = pick(text.length + 1);
  const start = text.lastIndexOf('\n', at - 1) + 1;
  const next = text.indexOf('\n', at);
  return [start, next === -1 ? text.length : next + 1];
}

/** The text after one random edit of the kinds that happen while people type, paste and merge. */
function edited(text: string, pick: Pick): string {
  const [start, end] = lineRange(text, pick);
  const line = text.slice(start, end);
  switch (pick(7)) {
    case 0:
      return text.slice(0, start) + text.slice(end);
    case 1:
      return text.slice(0, end) + line + text.slice(end);
    case 2:
      return (
        text.slice(0, start) +
        line.replace(/([:=]\s*)[^,\n]*/, `$1${VALUES[pick(VALUES.length)] ?? ''}`) +
        text.slice(end)
      );
    case 3:
      return text.slice(0, start) + line.replace(/\d+/, '123456789012345678901234567890') + text.slice(end);
    case 4: {
      const at = pick(text.length + 1);
      return text.slice(0, at) + (BROKEN[pick(BROKEN.length)] ?? '') + text.slice(at);
    }
    case 5:
      return text.slice(0, start) + line.replace(/\d+/, SIZES[pick(SIZES.length)] ?? '') + text.slice(end);
    default: {
      const at = pick(text.length + 1);
      return text.slice(0, at) + text.slice(at + 1 + pick(40));
    }
  }
}

/** Every number of an answer that is none, with what stands around it. */
function unreal(value: unknown): string | undefined {
  const told = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'number' && !Number.isFinite(inner) ? `not finite: ${String(inner)}` : inner,
  );
  return /.{0,60}(?:not finite|\bNaN\b|\bundefined\b).{0,40}/.exec(told)?.[0];
}

describeShared('random edits', ['corpus'], (root) => {
  it(
    `crash nothing, hang nothing and give no number that is none, over ${String(EDITS)} edits of corpus files`,
    { timeout: 900_000 },
    () => {
      const files = corpusTexts(root).filter(({ text }) => text.length < LARGEST);
      const pick = seeded(20_000);
      const faults: string[] = [];
      let slowest = 0;
      for (let step = 0; step < EDITS; step += STEPS) {
        const file = files[pick(files.length)];
        if (file === undefined) throw new Error('the corpus is empty');
        let { text } = file;
        for (let again = 0; again < STEPS; again += 1) {
          text = edited(text, pick);
          const before = performance.now();
          const analysis = analyzeText(text, { name: file.name });
          const answer = unreal([
            analysis.findings.map(({ message }) => message),
            again === 0 ? estimateAnswer(analysis) : 0,
          ]);
          const seconds = (performance.now() - before) / 1000;
          slowest = Math.max(slowest, seconds);
          const broken = analysis.findings.find(({ rule }) => rule === 'internal-fault');
          if (answer !== undefined || broken !== undefined || seconds > HANG_SECONDS)
            faults.push(
              `${file.folder}/${file.name} (edit ${String(step + again)}): ${answer ?? broken?.message ?? `${seconds.toFixed(1)} s`}`,
            );
        }
      }
      console.log(`slowest of ${String(EDITS)} edits: ${(slowest * 1000).toFixed(0)} ms`);
      expect(faults.slice(0, 20)).toEqual([]);
    },
  );
});
