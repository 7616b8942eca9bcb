import type { Finding } from '../../plan/finding';
import type { MapNode } from '../../syntax/tree';
import { hasKey, mapOf, placeOf, textOf } from '../common/nodes';
import type { DialectReading, ReadCompanion } from '../dialect';
import { readTrtValues } from './arguments';
import { trtSource } from './source';
import { trtSpelling } from './spelling';
import { trtValues } from './values';

/** Sections of the file of `trtllm-serve disaggregated`: servers that read prompts, and servers that write. */
const SECTIONS = ['context_servers', 'generation_servers'] as const;
/** Keys of a section beside the options of its servers. */
const OWN: ReadonlySet<string> = new Set(['num_instances', 'urls', 'router', 'perf_metrics_max_requests', 'type']);

/** True for the file that starts prefill and decode servers apart. */
export function isDisaggregated(root: MapNode): boolean {
  return SECTIONS.every((key) => hasKey(root, key));
}

/** Settings that both kinds of servers have to share, because cache blocks are handed over as they are. */
const SHARED = ['kv_cache_config.dtype', 'kv_cache_config.tokens_per_block'] as const;

function mismatches(root: MapNode): Finding[] {
  const [prompt, answer] = SECTIONS.map((key) => trtValues([mapOf(root, key), root]));
  if (prompt === undefined || answer === undefined) return [];
  return SHARED.flatMap((name): Finding[] => {
    const [one, other] = [prompt.entry(name), answer.entry(name)];
    if (one === undefined || other === undefined || prompt.unknown(name) || answer.unknown(name)) return [];
    const [left, right] = [textOf(one.value), textOf(other.value)];
    if (left === undefined || right === undefined || left === right) return [];
    return [
      {
        rule: 'transfer-mismatch',
        severity: 'warning',
        at: placeOf(other),
        related: [{ at: placeOf(one), message: 'the setting of the prefill servers' }],
        source: trtSource('_torch/disaggregation', 'KV cache transfer'),
        message: `Decode servers have \`${other.key}: ${right}\` and prefill servers ${left}: cache blocks are handed over as they are, so the first request fails; give both the same.`,
      },
    ];
  });
}

function readSection(root: MapNode, key: string, read: ReadCompanion): DialectReading {
  const section = mapOf(root, key);
  const reading = readTrtValues(trtValues([section, root]), read);
  if (section === undefined) return reading;
  const options = { ...section, entries: section.entries.filter((entry) => !OWN.has(entry.key)) };
  return { ...reading, findings: [...trtSpelling(options, true), ...reading.findings] };
}

/** Reads the file of `trtllm-serve disaggregated`: the plan is that of the decode servers, findings come from both. */
export function readDisaggregated(root: MapNode, read: ReadCompanion): DialectReading {
  const [prompt, answer] = SECTIONS.map((key) => readSection(root, key, read));
  const main = answer ?? readTrtValues(trtValues([root]), read);
  const findings = [...(prompt?.findings ?? []), ...main.findings, ...mismatches(root)];
  const seen = new Set<string>();
  return {
    ...main,
    // What stands at the top of the file is true of both sections, and told once.
    findings: findings.filter(({ rule, at, message }) => {
      const key = `${rule} ${at?.span.start ?? ''} ${message}`;
      return !seen.has(key) && seen.add(key) !== undefined;
    }),
    references: [...(prompt?.references ?? []), ...main.references],
    check: (resolved) => main.check?.(resolved) ?? [],
  };
}
