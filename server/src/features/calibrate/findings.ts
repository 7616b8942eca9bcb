import type { Finding } from '../../plan/finding';
import type { Sourced } from '../../plan/plan';
import { measurementFaults } from './read';

/** What is wrong with the measurements that a comment names, at their name. `text` is null where there is no such file to read. */
export function calibrationFindings(
  named: Sourced<string> | undefined,
  text: string | null | undefined,
): readonly Finding[] {
  if (named?.at === undefined || named.at.uri !== undefined || text === undefined) return [];
  const faults =
    text === null
      ? ['there is no such file here, or it is above 1 MB; only small ones are read']
      : measurementFaults(text);
  return faults.length === 0
    ? []
    : [
        {
          rule: 'calibration-not-usable',
          severity: 'warning',
          at: named.at,
          message: `Measurements in ${named.value}: ${faults.join('; ')}.`,
        },
      ];
}
