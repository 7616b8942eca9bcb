import type { Unresolved } from '../plan/plan';
import type { Analysis } from './analysis';
import { DECISIVE } from './estimates';

/** The words of a line up to its value, for values that come from another tool. */
function keyAt({ lines, text }: Analysis, { at }: Unresolved): { readonly key: string; readonly line: number } {
  const line = lines.positionAt(at.span.start).line;
  const source = text.split('\n', line + 1)[line] ?? '';
  const key = /[\w.-]+(?=["']?\s*[:=])/.exec(source)?.[0] ?? source.trim().slice(0, 40);
  return { key, line: line + 1 };
}

function outside(analysis: Analysis, open: Unresolved): string {
  if (open.why !== undefined) return open.why;
  if (open.at.uri !== undefined) return `${open.path} comes from another file and is not known here`;
  const { key, line } = keyAt(analysis, open);
  return `the value of \`${key}\` (line ${line}) is filled in by another tool and is not known here`;
}

/** Why the shape of a model is not known, and how to make it known; `how` names the ways that the asker has. */
export function whyNoModel({ resolved, findings }: Analysis, how: string): string {
  const unmodelled = findings.find(({ rule }) => rule === 'model-not-modelled');
  if (unmodelled !== undefined) return unmodelled.message.replace(/\.$/, '');
  const name = resolved?.plan.model.name?.value;
  const missing = (resolved?.missing ?? []).filter((field) => field.startsWith('model.'));
  return name === undefined || missing.length < 4
    ? `the model is not known (${missing.join(', ')} missing); name one ${how}`
    : `the model ${name} is not known here: put its config.json beside the file, or name one of its shape ${how}`;
}

/** Why the memory of a plan is not counted, as the end of a sentence; undefined where it is, or where the file asks for none. */
export function whyUncounted(analysis: Analysis): string | undefined {
  const { resolved, memory } = analysis;
  if (resolved === undefined || memory !== undefined || resolved.plan.task === 'model') return undefined;
  if (resolved.model === undefined) {
    const name = resolved.plan.model.name?.value;
    return name === undefined ? 'the model is not known' : `the model ${name} is not known here`;
  }
  if (resolved.layout === undefined) return 'the layout is not known';
  const open = resolved.plan.unresolved.find(({ path }) => DECISIVE.test(path));
  if (open !== undefined) return outside(analysis, open);
  if (resolved.plan.task === 'training' && resolved.batch === undefined)
    return 'the microbatch or the sequence length is not known';
  if (resolved.plan.details?.lora !== undefined)
    return 'adapters under tensor or pipeline parallelism are not modelled';
  return 'its sizes do not make a layout that can be counted';
}
