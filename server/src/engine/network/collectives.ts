import type { Group, Link, Topology } from './topology';
import { membersInside } from './topology';

export type CollectiveKind = 'all-gather' | 'reduce-scatter' | 'all-reduce' | 'all-to-all' | 'broadcast';

/**
 * Seconds of a ring over `n` ranks of `bytes` (the whole, gathered size) on one link: (n - 1)/n of the bytes pass each GPU and n - 1 steps
 * wait; an all-reduce is two of them. Source: Thakur, Rabenseifner, Gropp 2005, sections 4.1 to 4.4.
 */
export function ringTime(kind: CollectiveKind, bytes: number, n: number, link: Link): number {
  if (n <= 1 || bytes <= 0) return 0;
  const passes = kind === 'all-reduce' ? 2 : 1;
  // An all-to-all sends to all peers at once, so it waits for one message and not for a chain of them.
  const steps = kind === 'all-to-all' ? 1 : n - 1;
  return passes * (((n - 1) / n) * (bytes / link.bandwidth) + steps * link.latency);
}

/** Seconds of a double binary tree all-reduce: every byte goes up and down once, 2·log2(n) steps wait. Source: NCCL 2.4 release notes. */
export function treeTime(bytes: number, n: number, link: Link): number {
  if (n <= 1 || bytes <= 0) return 0;
  return (2 * bytes) / link.bandwidth + 2 * Math.log2(n) * link.latency;
}

/**
 * Seconds of a collective of `bytes` over a group. Within one domain the faster of ring and tree. Across domains hierarchically:
 * first inside each domain, then one ring a local rank over the network with its share of the bytes (all rails work at once).
 */
export function collectiveTime(kind: CollectiveKind, bytes: number, group: Group, topology: Topology): number {
  const inside = membersInside(topology, group);
  if (group.size <= inside) {
    const ring = ringTime(kind, bytes, group.size, topology.inside);
    return kind === 'all-reduce' ? Math.min(ring, treeTime(bytes, group.size, topology.inside)) : ring;
  }
  if (kind === 'all-to-all') return allToAllTime(bytes, group, topology);
  const outer = Math.ceil(group.size / inside);
  const local = ringTime(kind, bytes, inside, topology.inside);
  const share = bytes / inside;
  const ring = ringTime(kind, share, outer, topology.outside);
  const across = kind === 'all-reduce' ? Math.min(ring, treeTime(share, outer, topology.outside)) : ring;
  // NCCL pipelines both levels, so the slower one decides and the other only fills the pipe.
  return Math.max(local, across) + Math.min(local, across) / outer;
}

/** Seconds of an all-to-all that sends `bytes` from each rank, evenly to all: what stays inside and what leaves go at the same time. */
export function allToAllTime(bytes: number, group: Group, topology: Topology): number {
  if (group.size <= 1 || bytes <= 0) return 0;
  const inside = membersInside(topology, group);
  const near = ((inside - 1) / group.size) * (bytes / topology.inside.bandwidth) + topology.inside.latency;
  const far =
    group.size > inside
      ? ((group.size - inside) / group.size) * (bytes / topology.outside.bandwidth) + topology.outside.latency
      : 0;
  return Math.max(near, far);
}

/** Seconds of one point-to-point transfer between ranks `distance` apart. */
export function transferTime(bytes: number, distance: number, topology: Topology): number {
  const link = distance < topology.domain ? topology.inside : topology.outside;
  return bytes <= 0 ? 0 : bytes / link.bandwidth + link.latency;
}
