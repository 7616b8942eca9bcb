export { vllm as vllmSource } from '../../plan/rules/rule-context';
