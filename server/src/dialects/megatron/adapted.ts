import type { Finding } from '../../plan/finding';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { closest } from '../common/spelling';
import { matchMegatronKey, megatronFlagNames } from './arguments';
import { isEntryFlag } from './spelling';

/** Options of DeepSpeed and of the Megatron that was merged with it; Megatron-LM's parser has none of them. */
const DEEPSPEED = /^(?:deepspeed|deepspeed[-_](?:config|activation-checkpointing)|zero-stage|no-pipeline-parallel)$/;
/** Tools that load, convert or merge checkpoints fill in themselves what training asks for. */
const TOOL = /(?:^|\/)(?:tools|toolkits?)\/|(?:^|[/_])(?:convert|merge)[^/]*\.py$/;

/** What the words of a command say of the program behind it. */
export interface CommandWords {
  /** Options by name, without their dashes. */
  readonly options: readonly Entry[];
  /** Texts of the words before the options: launchers and the script. */
  readonly before: readonly string[];
}

/**
 * Whose program a command with Megatron's flags starts. Megatron-LM's parser takes no unknown flag, so a command with a flag that is not
 * just misspelt is for a program that adds its own (`adapted`); one with DeepSpeed's flags is for the merged repository of 2021, whose
 * parser has other names and other checks (`fork`).
 */
export function programOf({ options, before }: CommandWords): 'own' | 'adapted' | 'fork' {
  if (before.some((word) => /(?:^|\/)deepspeed$/.test(word)) || options.some(({ key }) => DEEPSPEED.test(key)))
    return 'fork';
  const foreign = options.filter(({ key }) => matchMegatronKey(`--${key}`) === undefined && !isEntryFlag(`--${key}`));
  const misspelt = foreign.length === 1 && foreign.every(({ key }) => closest(`--${key}`, megatronFlagNames));
  if (foreign.length > 0 && !misspelt) return 'adapted';
  return before.some((word) => TOOL.test(word)) ? 'adapted' : 'own';
}

const OF_PARSER = new Set(['unknown-key', 'wrong-value', 'wrong-type', 'removed-key']);

/** What Megatron-LM would say, said of a program that is not it: what its parser refuses is a remark, what its checks refuse likely fails. */
export function softened(findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => {
    if (OF_PARSER.has(finding.rule)) return { ...finding, severity: 'hint' };
    return finding.severity === 'error' ? { ...finding, severity: 'warning' } : finding;
  });
}

/** Without sizes below zero: programs that take the model from its checkpoint are given `-1` for what nobody reads. */
function withoutPlaceholders<T>(section: Planned<T>): Planned<T> {
  return Object.fromEntries(
    Object.entries(section).filter(([, value]) => {
      const size = (value as Sourced<unknown>).value;
      return typeof size !== 'number' || size >= 0;
    }),
  ) as Planned<T>;
}

/** The plan of a command whose program is not Megatron-LM itself. */
export function adaptedPlan(plan: Plan): Plan {
  return { ...plan, adapted: true, model: withoutPlaceholders(plan.model), batch: withoutPlaceholders(plan.batch) };
}
