import { sglangVocabulary } from '../sglang/vocabulary';
import { trtSchema } from '../tensorrt-llm/schema-data';
import { nestedVocabulary, type KeyPath, type Vocabulary } from '../vocabulary';
import { vllmVocabulary } from '../vllm/vocabulary';

/** The sections of `backend` that hold arguments of an engine, role by role. */
const SECTIONS: Readonly<Record<string, Vocabulary>> = {
  sglang_config: sglangVocabulary,
  vllm_config: vllmVocabulary,
  trtllm_config: nestedVocabulary(trtSchema),
};

/** The engine whose arguments stand at `path`, and the path among them. */
function within(path: KeyPath): { readonly engine: Vocabulary; readonly inner: KeyPath } | undefined {
  const index = path.findIndex((step) => Object.hasOwn(SECTIONS, step));
  const engine = SECTIONS[String(path[index])];
  return engine === undefined || path.length < index + 2 ? undefined : { engine, inner: path.slice(index + 2) };
}

/** Arguments of the engines below their roles, in a job as well as in a base and its overrides. */
export const srtVocabulary: Vocabulary = {
  root: {},
  at: (path) => {
    const found = within(path);
    const [first, ...rest] = found?.inner ?? [];
    // Both spellings are handed on with hyphens, but for TensorRT-LLM, whose fields have none.
    const key = found?.engine === sglangVocabulary ? String(first).replaceAll('_', '-') : first;
    return found === undefined || key === undefined ? undefined : found.engine.at([key, ...rest]);
  },
  below: (path) => {
    const found = within(path);
    return found === undefined ? [] : found.engine.below(found.inner);
  },
};
