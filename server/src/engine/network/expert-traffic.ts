import type { ModelSpec } from '../model/spec';
import { size } from '../model/tensors';
import type { Group, Topology } from './topology';
import { membersInside } from './topology';

/** log of the binomial coefficient, by sums: counts here are a few hundred at most. */
function logChoose(n: number, k: number): number {
  if (k < 0 || k > n) return -Infinity;
  let out = 0;
  for (let i = 1; i <= k; i += 1) out += Math.log((n - k + i) / i);
  return out;
}

/** Chance that none of `k` picks out of `n` falls into a part of `part`. */
function missChance(n: number, part: number, k: number): number {
  return k > n - part ? 0 : Math.exp(logChoose(n - part, k) - logChoose(n, k));
}

/**
 * Parts (of `parts` equal ones) that the experts of one token fall into, on average, with uniform routing. With group-limited routing a
 * token first picks g of G groups and then its experts among those only (arXiv 2412.19437, section 2.1.2: at most 4 nodes a token).
 */
export function distinctParts(model: ModelSpec, parts: number): number {
  const experts = size(model.experts);
  const topK = Math.min(size(model.expertsPerToken), experts);
  if (experts === 0 || topK === 0 || parts <= 0) return 0;
  if (parts <= 1) return 1;
  const groups = size(model.expertGroups);
  const chosen = size(model.groupsPerToken);
  const held = experts / parts;
  if (groups <= 1 || chosen === 0 || chosen >= groups) return parts * (1 - missChance(experts, Math.round(held), topK));
  const inGroup = experts / groups;
  if (held >= inGroup) {
    // A part holds b whole groups; j of them are among the chosen.
    const b = Math.round(held / inGroup);
    let miss = 0;
    for (let j = 0; j <= Math.min(b, chosen); j += 1) {
      const ways = Math.exp(logChoose(b, j) + logChoose(groups - b, chosen - j) - logChoose(groups, chosen));
      miss += ways * missChance(inGroup * chosen, inGroup * j, topK);
    }
    return parts * (1 - miss);
  }
  const reach = chosen / groups;
  return parts * reach * (1 - missChance(inGroup * chosen, Math.round(held), topK));
}

/** What dispatch or combine of one token costs on the links, in copies of its hidden vector. */
export interface ExpertHops {
  /** Copies that leave the sender's domain: one for each other domain. */
  readonly outside: number;
  /** Copies that go to other GPUs by NVLink. */
  readonly inside: number;
  /** Domains that a token reaches, its own included where chosen. */
  readonly domains: number;
}

/** Copies a token sends over an expert-parallel group, a copy a domain over the network and then one a GPU inside (DeepEP's forwarding). */
export function expertHops(model: ModelSpec, group: Group, topology: Topology): ExpertHops {
  if (group.size <= 1) return { outside: 0, inside: 0, domains: 1 };
  const perDomain = membersInside(topology, group);
  const domains = Math.ceil(group.size / perDomain);
  const reached = distinctParts(model, domains);
  const gpus = distinctParts(model, group.size);
  return {
    outside: domains <= 1 ? 0 : (reached * (domains - 1)) / domains,
    inside: perDomain <= 1 ? 0 : (gpus * (group.size - 1)) / group.size,
    domains: reached,
  };
}

/** Copies without forwarding: a token is sent once for each of its experts, over the network where that expert lies beyond the domain. */
export function plainHops(model: ModelSpec, group: Group, topology: Topology): ExpertHops {
  if (group.size <= 1) return { outside: 0, inside: 0, domains: 1 };
  const copies = Math.min(size(model.expertsPerToken), size(model.experts));
  const perDomain = membersInside(topology, group);
  return {
    outside: (copies * (group.size - perDomain)) / group.size,
    inside: (copies * (perDomain - 1)) / group.size,
    domains: Math.ceil(group.size / perDomain),
  };
}

/** Seconds to move `tokens` tokens of `bytesPerToken` to (or from) their experts: the slower of both levels, which work at once. `forwarded`: as DeepEP does. */
export function expertExchangeTime(
  model: ModelSpec,
  tokens: number,
  bytesPerToken: number,
  group: Group,
  topology: Topology,
  forwarded = true,
): number {
  if (group.size <= 1) return 0;
  const hops = forwarded ? expertHops(model, group, topology) : plainHops(model, group, topology);
  const bytes = tokens * bytesPerToken;
  const far = (bytes * hops.outside) / topology.outside.bandwidth + (hops.outside > 0 ? topology.outside.latency : 0);
  const near = (bytes * hops.inside) / topology.inside.bandwidth + topology.inside.latency;
  return Math.max(far, near);
}
