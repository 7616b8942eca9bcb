import further from '../../../schemas/models/further.json';
import deepseekR1 from '../../../schemas/models/deepseek-r1.json';
import deepseekV2Lite from '../../../schemas/models/deepseek-v2-lite.json';
import deepseekV2 from '../../../schemas/models/deepseek-v2.json';
import deepseekV32 from '../../../schemas/models/deepseek-v3.2.json';
import deepseekV3 from '../../../schemas/models/deepseek-v3.json';
import kimiK2Thinking from '../../../schemas/models/kimi-k2-thinking.json';
import kimiK2 from '../../../schemas/models/kimi-k2.json';
import glm45Air from '../../../schemas/models/glm-4.5-air.json';
import glm45 from '../../../schemas/models/glm-4.5.json';
import glm47Fp8 from '../../../schemas/models/glm-4.7-fp8.json';
import glm5 from '../../../schemas/models/glm-5.json';
import qwen306b from '../../../schemas/models/qwen3-0.6b.json';
import qwen317b from '../../../schemas/models/qwen3-1.7b.json';
import qwen314b from '../../../schemas/models/qwen3-14b.json';
import qwen3235bA22bFp8 from '../../../schemas/models/qwen3-235b-a22b-fp8.json';
import qwen3235bA22b from '../../../schemas/models/qwen3-235b-a22b.json';
import qwen330bA3bFp8 from '../../../schemas/models/qwen3-30b-a3b-fp8.json';
import qwen330bA3b from '../../../schemas/models/qwen3-30b-a3b.json';
import qwen332b from '../../../schemas/models/qwen3-32b.json';
import qwen34b from '../../../schemas/models/qwen3-4b.json';
import qwen38b from '../../../schemas/models/qwen3-8b.json';
import qwen3Coder480bA35b from '../../../schemas/models/qwen3-coder-480b-a35b.json';
import qwen2572b from '../../../schemas/models/qwen2.5-72b.json';
import qwen257b from '../../../schemas/models/qwen2.5-7b.json';
import llama27b from '../../../schemas/models/llama-2-7b.json';
import llama31405b from '../../../schemas/models/llama-3.1-405b.json';
import llama3170b from '../../../schemas/models/llama-3.1-70b.json';
import llama318b from '../../../schemas/models/llama-3.1-8b.json';
import llama321b from '../../../schemas/models/llama-3.2-1b.json';
import mistral7b from '../../../schemas/models/mistral-7b.json';
import mixtral8x22b from '../../../schemas/models/mixtral-8x22b.json';
import mixtral8x7b from '../../../schemas/models/mixtral-8x7b.json';
import gptOss120b from '../../../schemas/models/gpt-oss-120b.json';
import gptOss20b from '../../../schemas/models/gpt-oss-20b.json';
import h100 from '../../../schemas/hardware/h100.json';
import h100Pcie from '../../../schemas/hardware/h100-pcie.json';
import h800 from '../../../schemas/hardware/h800.json';
import h20 from '../../../schemas/hardware/h20.json';
import h200 from '../../../schemas/hardware/h200.json';
import b200 from '../../../schemas/hardware/b200.json';
import gb200 from '../../../schemas/hardware/gb200.json';
import b300 from '../../../schemas/hardware/b300.json';
import gb300 from '../../../schemas/hardware/gb300.json';
import a10040gb from '../../../schemas/hardware/a100-40gb.json';
import a10080gb from '../../../schemas/hardware/a100-80gb.json';
import l40s from '../../../schemas/hardware/l40s.json';
import rtx4090 from '../../../schemas/hardware/rtx-4090.json';
import mi300x from '../../../schemas/hardware/mi300x.json';

/** Model configs that ship with the tool, trimmed to what shapes a model; each says where its values come from. */
export const modelFiles: readonly unknown[] = [
  deepseekR1,
  deepseekV2Lite,
  deepseekV2,
  deepseekV32,
  deepseekV3,
  kimiK2Thinking,
  kimiK2,
  glm45Air,
  glm45,
  glm47Fp8,
  glm5,
  qwen306b,
  qwen317b,
  qwen314b,
  qwen3235bA22bFp8,
  qwen3235bA22b,
  qwen330bA3bFp8,
  qwen330bA3b,
  qwen332b,
  qwen34b,
  qwen38b,
  qwen3Coder480bA35b,
  qwen2572b,
  qwen257b,
  llama27b,
  llama31405b,
  llama3170b,
  llama318b,
  llama321b,
  mistral7b,
  mixtral8x22b,
  mixtral8x7b,
  gptOss120b,
  gptOss20b,
  ...further,
];

/** GPUs that ship with the tool: dense peaks only, memory as programs see it, each with its source. */
export const hardwareFiles: readonly unknown[] = [
  h100,
  h100Pcie,
  h800,
  h20,
  h200,
  b200,
  gb200,
  b300,
  gb300,
  a10040gb,
  a10080gb,
  l40s,
  rtx4090,
  mi300x,
];
