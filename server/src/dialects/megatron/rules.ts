import type { Finding } from '../../plan/finding';
import { checkConditions, coverageOf, type Coverage } from '../common/conditions';
import type { MegatronArguments } from './arguments';
import { formFindings } from './exclusive';
import { expertChecks } from './rules-experts';
import { jobChecks, memoryChecks } from './rules-job';
import { layerChecks } from './rules-layers';
import { pipelineChecks } from './rules-pipeline';
import { optimizerChecks } from './rules-optimizer';
import { shardingChecks } from './rules-sharding';
import { LAUNCHER } from './sources';
import { megatronValues, type Check, type MegatronValues } from './values';

/** Everything Megatron-LM says about combinations of its arguments, in the order a person would want to fix them. */
export const megatronChecks: readonly Check[] = [
  ...jobChecks,
  ...pipelineChecks,
  ...expertChecks,
  ...layerChecks,
  ...shardingChecks,
  ...optimizerChecks,
  ...memoryChecks,
];

/** What Megatron-Core says to whoever builds a model with it; the launcher's own checks stay with the launcher. */
export const coreChecks: readonly Check[] = megatronChecks.filter(({ source }) => source !== LAUNCHER);

/** Formats without a command line have fields where the messages name flags. */
function spelled(finding: Finding, names: Readonly<Record<string, string>>): Finding {
  const message = finding.message.replaceAll(
    /`--(no-|disable-)?([a-z][a-z0-9-]*)`/g,
    (_, off: string | undefined, flag: string) => {
      const own = flag.replaceAll('-', '_');
      const field = names[own] ?? own;
      return off === undefined ? `\`${field}\`` : `\`${field}: false\``;
    },
  );
  return { ...finding, message };
}

function judged(
  args: MegatronArguments,
  conditions: readonly Check[],
  values: MegatronValues,
  names: Readonly<Record<string, string>> = {},
): readonly Finding[] {
  const found = [...formFindings(args), ...checkConditions(conditions, values)];
  return args.form === 'model-args' ? found : found.map((entry) => spelled(entry, names));
}

/**
 * What Megatron-LM says about combinations of its arguments, for every file that carries them.
 * Arguments that may be set elsewhere (`complete: false`) are not concluded from.
 */
export function megatronFindings(args: MegatronArguments): readonly Finding[] {
  // NeMo's trainer drives Megatron-Core without Megatron's launcher, and a YAML configuration is not parsed at all.
  const launched = args.profile.note !== "NeMo's default";
  // ms-swift fills what is left out by rules of its own, release by release.
  const filled = args.form === 'sections' || args.profile.namedModel;
  const values = megatronValues(filled ? { ...args, complete: false } : args);
  return judged(args, launched ? megatronChecks : coreChecks, values);
}

/** What Megatron-Core says about arguments that another framework hands to it; `names` are its own for some of them, by Megatron's. */
export function coreFindings(
  args: MegatronArguments,
  names: Readonly<Record<string, string>> = {},
): readonly Finding[] {
  return judged(args, coreChecks, megatronValues(args), names);
}

/** Gathered rules by the rule that implements them; those that the Plan decides stand in the coverage of the shared rules. */
export const megatronCoverage: readonly Coverage[] = coverageOf([
  ...megatronChecks,
  { rule: 'removed-key', covers: ['MEG-005', 'MEG-006', 'MEG-007', 'MEG-008'] },
  {
    rule: 'exclusive-keys',
    covers: [
      'MEG-010',
      'MEG-013',
      'MEG-015',
      'MEG-033',
      'MEG-038',
      'MEG-042',
      'MEG-043',
      'MEG-044',
      'MEG-052',
      'MEG-067',
      'MEG-071',
      'MEG-118',
      'MEG-125',
    ],
  },
  {
    rule: 'pipeline-layout',
    covers: ['MEG-014', 'MEG-150', 'MEG-153', 'MEG-154', 'MEG-155', 'MEG-156'],
  },
]);
