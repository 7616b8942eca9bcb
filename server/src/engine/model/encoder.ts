import { size } from './tensors';

/** A vision transformer in front of a language model, in the words of its `vision_config`. */
export interface EncoderSpec {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Values of one patch: channels × frames × height × width. */
  readonly patchValues: number;
  /** Rows of the learned position table; 0 for rotary ones. */
  readonly positions: number;
  /** Patches that the projector joins into one token of the language model. */
  readonly mergedPatches: number;
  /** Width of the language model. */
  readonly outputSize: number;
  /** Three feed-forward matrices instead of two. */
  readonly gatedMlp: boolean;
  /** Most tokens of one image, which an engine's dummy run encodes; 16,384 for Qwen's towers. */
  readonly tokensPerImage?: number;
}

/**
 * Parameters of the tower with its projector: blocks with biases and two LayerNorms, patch embedding, positions, and a two-layer
 * merger over joined patches. Source: huggingface/transformers models/qwen3_vl/modeling_qwen3_vl.py (Qwen3VLVisionModel).
 */
export function encoderParameters(encoder: EncoderSpec): number {
  const h = size(encoder.hiddenSize);
  const inner = size(encoder.intermediateSize);
  const joined = h * Math.max(1, size(encoder.mergedPatches));
  const out = size(encoder.outputSize);
  const matrices = encoder.gatedMlp ? 3 : 2;
  const block = 4 * h * h + 4 * h + matrices * h * inner + (matrices - 1) * inner + h + 4 * h;
  const stem = size(encoder.patchValues) * h + h + size(encoder.positions) * h;
  const merger = 2 * h + joined * joined + joined + joined * out + out;
  return size(encoder.layers) * block + stem + merger;
}

/**
 * Most activation bytes of an engine's dummy run over one image of the largest size: both sides of a block's feed-forward and five
 * streams a patch, and the image's tokens that stay in the encoder's cache, all in 16 bits.
 */
export function encoderForward(encoder: EncoderSpec): number {
  const tokens = size(encoder.tokensPerImage ?? 16_384);
  const patches = tokens * Math.max(1, size(encoder.mergedPatches));
  const wide = (encoder.gatedMlp ? 3 : 2) * size(encoder.intermediateSize) + 5 * size(encoder.hiddenSize);
  return 2 * (patches * wide + tokens * size(encoder.outputSize));
}
