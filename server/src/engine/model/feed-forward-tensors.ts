import type { ModelSpec } from './spec';
import { moduleNames } from './module-names';
import { matrix, size, vector, type ModelPart, type ShardRule, type TensorShape } from './tensors';

/** Inner width of the whole shared-expert block: stated, or as many experts' widths as there are shared experts. */
export function sharedWidth(model: ModelSpec): number {
  return size(model.sharedExpertIntermediateSize ?? size(model.sharedExperts) * size(model.expertIntermediateSize));
}

interface Block {
  readonly part: ModelPart;
  readonly path: string;
  readonly outer: number;
  readonly inner: number;
  readonly bias: boolean;
  readonly copies: number;
  readonly expert: boolean;
}

/** Gate, up and down matrices of one feed-forward, or up and down where it is not gated. */
function block(model: ModelSpec, { part, path, outer, inner, bias, copies, expert }: Block): TensorShape[] {
  const names = moduleNames(model);
  const column: ShardRule = expert ? 'expert-column' : 'column';
  const row: ShardRule = expert ? 'expert-row' : 'row';
  const ups = model.gatedMlp ? [names.gate, names.up] : [names.up];
  const out = ups.map((name) => matrix(part, `${path}.${name}`, inner, outer, column, { copies, fused: 'gate_up' }));
  out.push(matrix(part, `${path}.${names.down}`, outer, inner, row, { copies }));
  if (bias) {
    out.push(...ups.map((name) => vector(part, `${path}.${name}`, inner, 'bias', column, copies)));
    out.push(vector(part, `${path}.${names.down}`, outer, 'bias', expert ? 'expert-replicated' : 'replicated', copies));
  }
  return out;
}

/** A dense feed-forward. */
export function denseTensors(model: ModelSpec): TensorShape[] {
  return block(model, {
    part: 'dense',
    path: moduleNames(model).feedForward === 'block_sparse_moe' ? 'mlp' : moduleNames(model).feedForward,
    outer: size(model.hiddenSize),
    inner: size(model.intermediateSize),
    bias: model.mlpBias,
    copies: 1,
    expert: false,
  });
}

/** Router, routed experts and shared experts of one layer. */
export function moeTensors(model: ModelSpec): TensorShape[] {
  const names = moduleNames(model);
  const at = names.feedForward;
  const h = size(model.hiddenSize);
  const experts = size(model.experts);
  const latent = size(model.expertLatentSize);
  const out = [matrix('router', `${at}.${names.router}`, experts, h, 'replicated', { storage: 'router' })];
  if (model.routerBias === true) out.push(vector('router', `${at}.${names.router}`, experts, 'bias'));
  if (model.routerCorrectionBias === true) {
    out.push(vector('router', `${at}.${names.router}.e_score_correction_bias`, experts, 'routerCorrectionBias'));
  }
  if (latent > 0) {
    out.push(
      matrix('shared', `${at}.fc1_latent_proj`, latent, h, 'replicated'),
      matrix('shared', `${at}.fc2_latent_proj`, h, latent, 'replicated'),
    );
  }
  out.push(
    ...block(model, {
      part: 'experts',
      path: `${at}.experts.0`,
      outer: latent > 0 ? latent : h,
      inner: size(model.expertIntermediateSize ?? model.intermediateSize),
      bias: model.expertBias ?? false,
      copies: experts,
      expert: true,
    }),
  );
  const shared = sharedWidth(model);
  if (shared > 0) {
    out.push(
      ...block(model, {
        part: 'shared',
        path: `${at}.${names.shared}`,
        outer: h,
        inner: shared,
        bias: model.mlpBias,
        copies: 1,
        expert: false,
      }),
    );
  }
  if (model.sharedExpertGate === true) {
    out.push(matrix('shared', `${at}.shared_expert_gate`, 1, h, 'replicated', { storage: 'gate' }));
  }
  return out;
}
