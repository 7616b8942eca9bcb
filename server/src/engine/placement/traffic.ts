/** How a router picks experts: `topK` of all, or of the experts of `topGroups` of the groups. */
export interface Routing {
  readonly experts: number;
  readonly topK: number;
  readonly groups: number;
  /** Groups a token may use; absent or all: no limit. */
  readonly topGroups?: number;
}

function lnFactorial(n: number): number {
  let sum = 0;
  for (let i = 2; i <= n; i += 1) sum += Math.log(i);
  return sum;
}

/** C(n, k), 0 outside. Through logarithms: C(256, 128) is far beyond 2^53 but only ratios are asked for. */
function lnChoose(n: number, k: number): number {
  return k < 0 || k > n ? -Infinity : lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);
}

/** Chance that `k` of `all` chosen at random all come from `allowed` of them. */
function chanceWithin(allowed: number, all: number, k: number): number {
  return Math.exp(lnChoose(allowed, k) - lnChoose(all, k));
}

/** Chance that a token reaches none of the experts of `homes` whole groups. */
function missGroups(routing: Routing, chosen: number, homes: number): number {
  const size = routing.experts / routing.groups;
  let miss = 0;
  for (let hit = 0; hit <= Math.min(homes, chosen); hit += 1) {
    const chance = Math.exp(
      lnChoose(homes, hit) + lnChoose(routing.groups - homes, chosen - hit) - lnChoose(routing.groups, chosen),
    );
    if (chance > 0) miss += chance * chanceWithin(size * (chosen - hit), size * chosen, routing.topK);
  }
  return miss;
}

/** Chance that a token reaches none of `part` experts of one group. */
function missPart(routing: Routing, chosen: number, part: number): number {
  const size = routing.experts / routing.groups;
  const selected = chosen / routing.groups;
  return 1 - selected + selected * chanceWithin(size * chosen - part, size * chosen, routing.topK);
}

/**
 * Distinct places (nodes or GPUs) that a token reaches in expectation when every expert is chosen equally often, experts lie in order
 * over `places` and groups are kept together. Undefined when sizes do not divide or a router cannot pick so many.
 * With g of G groups: D = N (1 - sum_j C(b,j) C(G-b,g-j) / C(G,g) * C(s(g-j),k) / C(s g,k)), b = G / N groups a place, s experts a group;
 * without: D = N (1 - C(E - E/N, k) / C(E, k)). Derived from DeepSeek-V3's router (arXiv 2412.19437, section 2.1.2).
 */
export function expectedPlaces(routing: Routing, places: number): number | undefined {
  const { experts, topK, groups } = routing;
  const chosen = routing.topGroups ?? groups;
  const whole = [experts, topK, groups, chosen, places].every((size) => Number.isSafeInteger(size) && size > 0);
  if (!whole || experts % places !== 0 || experts % groups !== 0 || chosen > groups) return undefined;
  if (topK > (experts / groups) * chosen || experts > 65_536) return undefined;
  if (chosen === groups) return places * (1 - chanceWithin(experts - experts / places, experts, topK));
  if (groups % places === 0) return places * (1 - missGroups(routing, chosen, groups / places));
  if (places % groups === 0) return places * (1 - missPart(routing, chosen, experts / places));
  return undefined;
}

/** Nodes other than the token's own that it is sent to, sources spread evenly: D (N - 1) / N. */
export function remotePlaces(distinct: number, places: number): number {
  return (distinct * (places - 1)) / places;
}

/**
 * Distinct places a token reaches when each expert's copies lie as given and one copy is drawn at random: the sum over places of
 * 1 - prod over experts (1 - p_e * copies there / copies). `chance` is each expert's chance to be among the token's experts,
 * taken as independent. Source: NVIDIA/TensorRT-LLM, examples/wide_ep/ep_load_balancer, report_send_ranks_per_token.
 */
export function expectedPlacesOf(
  physicalToLogical: Int32Array,
  copies: Int32Array,
  chance: Float64Array,
  places: number,
): number {
  const slotsPerPlace = physicalToLogical.length / places;
  let sum = 0;
  for (let place = 0; place < places; place += 1) {
    const here = new Map<number, number>();
    for (let slot = place * slotsPerPlace; slot < (place + 1) * slotsPerPlace; slot += 1) {
      const expert = physicalToLogical[slot] ?? 0;
      here.set(expert, (here.get(expert) ?? 0) + 1);
    }
    let miss = 1;
    for (const [expert, count] of here) miss *= 1 - ((chance[expert] ?? 0) * count) / Math.max(1, copies[expert] ?? 1);
    sum += 1 - miss;
  }
  return sum;
}
