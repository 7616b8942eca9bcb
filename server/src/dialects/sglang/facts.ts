import type { ModelSpec } from '../../engine/model/spec';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Finding, Severity } from '../../plan/finding';
import type { Place, ResolvedPlan } from '../../plan/plan';
import { sglang as sglangSource, stated } from '../../plan/rules/rule-context';
import { replaceFix } from '../common/findings';
import { placeOf } from '../common/nodes';
import type { SglangArguments } from './arguments';
import type { SglangDegrees } from './layout';

/** What the rules see of one server: its arguments with SGLang's defaults, and what is known of model and GPU. */
export interface SglangFacts {
  readonly args: SglangArguments;
  readonly degrees: SglangDegrees;
  readonly resolved: ResolvedPlan;
  /** Variables of the server's process, as far as the document sets them. */
  readonly environment: Readonly<Record<string, string>>;
  /** `quant_method` of the checkpoint, where the checkpoint is known. */
  readonly checkpoint: string | undefined;
  /** `model_type` of the checkpoint, also where its layers are not modelled. */
  readonly family: string | undefined;
  /** Slots of a layer in the placement that the file names. */
  readonly slots: number | undefined;
  /** Written at all. */
  readonly has: (flag: string) => boolean;
  /** A word as written, or the default. */
  readonly word: (flag: string, otherwise: string) => string;
  /** A number as written, or the default. */
  readonly count: (flag: string, otherwise: number) => number;
  /** Degrees in effect, so that no rule reads a hidden one by mistake: undefined where an interpolation hides it. */
  readonly tensor: number | undefined;
  readonly pipeline: number | undefined;
  readonly data: number | undefined;
  readonly expert: number | undefined;
  /** Prefill tokens of one rank and page in effect; undefined where they are off or not known. */
  readonly chunk: number | undefined;
  readonly page: number | undefined;
  /** Algorithm in upper case; undefined without speculation. */
  readonly speculation: string | undefined;
  /** Only where somebody names the model. */
  readonly model: ModelSpec | undefined;
  readonly layout: LayoutSpec | undefined;
  /** CUDA compute capability × 10 of a GPU that somebody names; undefined for others than NVIDIA's. */
  readonly capability: number | undefined;
}

/** One thing that SGLang does with a combination of arguments. */
export interface SglangRule {
  readonly rule: string;
  readonly severity: Severity;
  /** Ids of the gathered start-up rules that this one covers. */
  readonly covers: readonly string[];
  /** Arguments that decide it, which no interpolation may hide. The finding stands at the first that is written. */
  readonly keys: readonly string[];
  readonly source: readonly [file: string, fn: string];
  /** The sentence, when it holds. */
  readonly says: (facts: SglangFacts) => string | undefined;
  /** Arguments and values that would settle it; a single one is the right answer. */
  readonly fixes?: (facts: SglangFacts) => readonly (readonly [flag: string, value: string | number])[];
}

interface Around {
  readonly environment: Readonly<Record<string, string>>;
  readonly checkpoint: string | undefined;
  readonly family: string | undefined;
  readonly slots: number | undefined;
}

/** Gathers what the rules ask for. */
export function factsOf(
  args: SglangArguments,
  degrees: SglangDegrees,
  resolved: ResolvedPlan,
  around: Around,
): SglangFacts {
  const { plan } = resolved;
  const algorithm = args.text('speculative-algorithm');
  const gpu = stated(plan.cluster.gpu) ? plan.cluster.computeCapability?.value : undefined;
  const chunk = plan.serving.chunkedPrefill;
  return {
    args,
    degrees,
    resolved,
    ...around,
    has: (flag) => args.entry(flag) !== undefined,
    word: (flag, otherwise) => args.text(flag) ?? otherwise,
    count: (flag, otherwise) => args.number(flag) ?? args.integer(flag) ?? otherwise,
    tensor: degrees.tensor,
    pipeline: degrees.pipeline,
    data: degrees.data,
    expert: args.unknown('ep-size') ? undefined : plan.layout.expert?.value,
    chunk: chunk !== undefined && args.entry('chunked-prefill-size') !== undefined ? chunk.value : undefined,
    page: plan.serving.pageSize?.value,
    speculation: algorithm?.toUpperCase(),
    model: stated(plan.model.name) ? resolved.model : undefined,
    layout: resolved.layout,
    capability: gpu === undefined || gpu <= 0 ? undefined : gpu,
  };
}

function placeFor({ args, resolved }: SglangFacts, keys: readonly string[]): Place | undefined {
  const entry = keys.map((key) => args.entry(key)).find((found) => found !== undefined);
  if (entry !== undefined) return placeOf(entry);
  const { name } = resolved.plan.model;
  return stated(name) && name.at?.uri === undefined ? name.at : undefined;
}

/** Quick fixes for values that stand in this document themselves, and not in a variable. */
function fixesOf(rule: SglangRule, facts: SglangFacts): Pick<Finding, 'fixes'> {
  const answers = rule.fixes?.(facts) ?? [];
  const fixes = answers.flatMap(([flag, value]) => {
    const entry = facts.args.entry(flag);
    return entry?.value.kind !== 'scalar' || entry.value.definition !== undefined
      ? []
      : [replaceFix(`Set ${flag} to ${value}`, entry.value.span, String(value), answers.length === 1)];
  });
  return fixes.length === 0 ? {} : { fixes };
}

/** Findings of every rule that holds; one that an interpolation takes part in stays silent. */
export function checkRules(rules: readonly SglangRule[], facts: SglangFacts): Finding[] {
  return rules.flatMap((rule): Finding[] => {
    if (rule.keys.some((key) => facts.args.unknown(key))) return [];
    const message = rule.says(facts);
    if (message === undefined) return [];
    const at = placeFor(facts, rule.keys);
    return [
      {
        rule: rule.rule,
        severity: rule.severity,
        message,
        source: sglangSource(...rule.source),
        ...(at === undefined ? {} : { at }),
        ...fixesOf(rule, facts),
      },
    ];
  });
}
