import { findModel } from '../../../server/src/dialects/presets';
import { specOf } from '../../../server/src/dialects/hf-config/model';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { QuantizationSpec } from '../../../server/src/engine/spec/numbers';
import { resolveQuantization } from '../../../server/src/plan/resolve-model';

/** A preset as the engine takes it; throws where there is none, because a test that needs it must not pass without. */
export function preset(name: string): { readonly model: ModelSpec; readonly quantization: QuantizationSpec } {
  const found = findModel(name);
  const spec = found === undefined ? undefined : specOf(found.model).spec;
  if (found === undefined || spec === undefined) throw new Error(`no preset ${name}`);
  return { model: spec, quantization: resolveQuantization(found.quantization, []) };
}

export const PLAIN: QuantizationSpec = { method: 'none', baseDType: 'BF16' };
