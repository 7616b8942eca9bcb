import type { Outcome } from '../../engine/search/front';
import type { ClusterSpec } from '../../engine/spec/cluster';
import { gib, percent, plural } from '../format';

/** A change below this share of a step is not worth a sentence. */
const WORTH = 0.01;

function share(outcome: Outcome, part: keyof Outcome['step']['parts']): number {
  return outcome.step.parts[part] / outcome.seconds;
}

function moved(own: Outcome, other: Outcome, part: keyof Outcome['step']['parts'], what: string): string | undefined {
  const [before, after] = [share(own, part), share(other, part)];
  if (Math.abs(before - after) < WORTH) return undefined;
  return `${what} ${after < before ? 'falls' : 'rises'} from ${percent(before)} to ${percent(after)} of a step`;
}

function expertSpan({ choice }: Outcome, { nvlinkDomain, gpusPerNode }: ClusterSpec): string | undefined {
  if (choice.expert <= 1) return undefined;
  const domain = nvlinkDomain ?? gpusPerNode;
  const ranks = choice.expert * choice.expertTensor;
  if (ranks <= domain)
    return `EP ${choice.expert} keeps all-to-all inside one NVLink domain of ${plural(domain, 'GPU')}`;
  return `EP ${choice.expert} keeps all-to-all in ${plural(Math.ceil(ranks / domain), 'node')}`;
}

/** Why a layout is what it is: what it spends less on than the plan's own, most telling first. */
export function reasonsFor(own: Outcome | undefined, other: Outcome, cluster: ClusterSpec): string[] {
  const { choice } = other;
  const lines: (string | undefined)[] = [];
  if (own !== undefined) {
    lines.push(
      moved(own, other, 'pipeline', 'pipeline idle time'),
      moved(own, other, 'expert', 'expert exchange that nothing hides'),
      moved(own, other, 'tensor', 'tensor-parallel traffic that nothing hides'),
      moved(own, other, 'context', 'context-parallel traffic that nothing hides'),
      moved(own, other, 'data', 'data-parallel traffic that nothing hides'),
      moved(own, other, 'recompute', 'recomputation'),
      moved(own, other, 'host', 'waiting for the host'),
      moved(own, other, 'optimizer', 'the optimizer'),
    );
    if (Math.abs(other.bytes / own.bytes - 1) >= 0.02)
      lines.push(`the fullest rank holds ${gib(other.bytes)} GiB instead of ${gib(own.bytes)}`);
  }
  if (own === undefined || own.choice.expert !== choice.expert || own.choice.expertTensor !== choice.expertTensor)
    lines.push(expertSpan(other, cluster));
  if (
    choice.tensor > 1 &&
    choice.tensor <= (cluster.nvlinkDomain ?? cluster.gpusPerNode) &&
    choice.tensor !== own?.choice.tensor
  )
    lines.push(`TP ${choice.tensor} stays on NVLink`);
  return lines.filter((line): line is string => line !== undefined);
}
