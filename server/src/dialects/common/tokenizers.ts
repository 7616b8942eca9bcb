/** Vocabulary sizes of tokenizers whose name or file decides them: the length of the tokenizer, or the rows that its models have where the two are always used together. */
const VOCABULARIES: readonly (readonly [RegExp, number])[] = [
  [/nemotron_2_256k|nemotron.*256k/i, 256_000],
  [/DeepSeek-(?:V3|R1)/i, 129_280],
  [/DeepSeek-V2/i, 102_400],
  [/Mixtral-8x22B|Mistral-7B-(?:Instruct-)?v0\.3/i, 32_768],
  [/Mixtral-8x7B|Mistral-7B/i, 32_000],
  [/Mistral-(?:Nemo|Small-(?:3|24))/i, 131_072],
  [/Qwen\/?Qwen3|\bQwen3/i, 151_936],
  [/Qwen2\.?5?-(?:0\.5|1\.5|3)B/i, 151_936],
  [/Qwen2\.?5?-(?:7|14|32|72)B/i, 152_064],
  [/Llama-?3/i, 128_256],
  [/code-?llama|llemma/i, 32_016],
  [/Llama-?[12](?!\d)|\bllama_tokenizer\.model|llama\/tokenizer\.model/i, 32_000],
  [/Kimi-K2/i, 163_840],
  [/gemma-?3/i, 262_144],
  [/gemma/i, 256_000],
  [/gpt-oss/i, 201_088],
  [/gpt-neox-20b|pythia|20B_tokenizer/i, 50_277],
  [/(?:^|\/)gpt2(?:-\w+)?$|gpt2-vocab/i, 50_257],
];

/** Size of the vocabulary of a tokenizer by its repository, path or file; undefined for one that is not known. */
export function vocabularyOf(name: string): number | undefined {
  return VOCABULARIES.find(([pattern]) => pattern.test(name))?.[1];
}
