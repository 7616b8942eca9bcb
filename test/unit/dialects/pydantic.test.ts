import { describe, expect, it } from 'vitest';
import { pydanticFindings, type PydanticType } from '../../../server/src/dialects/common/pydantic';
import { rootMap } from '../../../server/src/dialects/common/nodes';
import { parseConfig } from '../../../server/src/syntax/parse';
import { findingsOf } from './cases';

const SOURCE = { framework: 'f', repository: 'r', file: 'x', function: 'y' };

/** What pydantic 2.13 answers to a field of each type. */
const TAKEN: Readonly<Record<PydanticType, readonly string[]>> = {
  integer: ['4', '4.0', '"4"', '"4.0"', '" 4 "', '"4_0"', '"+4"', 'true', '${oc.env:BITS}'],
  number: ['4', '1.5', '"1.5"', '"1e-2"', '"inf"', 'true'],
  boolean: ['true', '1', '0', '1.0', '"yes"', '"on"', '"T"', '"0"'],
  string: ['word', '"1"'],
  array: ['[1]'],
  object: ['{ a: 1 }'],
};
const REFUSED: Readonly<Record<PydanticType, readonly string[]>> = {
  integer: ['4.5', '"4.5"', 'four', '[4]', '"1e3"', '"0x4"', '""', '.inf'],
  number: ['abc', '""', '[1]'],
  boolean: ['2', '0.5', 'maybe', '""'],
  string: ['1', '1.5', '[a]'],
  array: ['a', '1'],
  object: ['a', '[a]'],
};

function refused(type: PydanticType, value: string): readonly string[] {
  const root = rootMap(parseConfig(`key: ${value}\n`, 'yaml'));
  const [entry] = root?.entries ?? [];
  expect(entry?.key).toBe('key');
  return entry === undefined ? [] : pydanticFindings(entry, type, SOURCE).map(({ message }) => message);
}

describe('values as Pydantic takes them', () => {
  it.each(Object.keys(TAKEN) as PydanticType[])('%s', (type) => {
    expect(TAKEN[type].filter((value) => refused(type, value).length > 0)).toEqual([]);
    expect(REFUSED[type].filter((value) => refused(type, value).length !== 1)).toEqual([]);
  });

  it('names the nearest whole number', () => {
    expect(refused('integer', '4.5')).toEqual([
      '`key` takes a whole number, and Pydantic refuses 4.5; the nearest legal value is 5.',
    ]);
  });
});

const recipe = (weights: string, rest = ''): string =>
  `quant_stage:\n  quant_modifiers:\n    GPTQModifier:\n      ignore: [lm_head]\n${rest}      config_groups:\n        group_0:\n          targets: [Linear]\n          weights: { ${weights} }\n`;
const errors = (text: string): readonly string[] =>
  findingsOf('llm-compressor', text, 'yaml')
    .filter(({ severity }) => severity === 'error')
    .map(({ rule }) => rule);

describe('types in llm-compressor recipes', () => {
  it.each([
    ['num_bits: 4, type: int, strategy: group, group_size: 128', []],
    ['num_bits: "4", type: INT, strategy: GROUP, group_size: 128, actorder: static', []],
    ['num_bits: 4.5, type: int, strategy: group, group_size: 128', ['wrong-type']],
    ['num_bits: 4.5, type: float, strategy: tensor', ['wrong-type']],
    ['num_bits: 6, type: float, strategy: tensor', ['quantization-format']],
    ['num_bits: 4, strategy: group, group_size: 128.5', ['wrong-type']],
    ['num_bits: 4, strategy: group, group_size: "128"', ['wrong-value']],
    ['num_bits: 4, group_size: -2', ['wrong-value']],
    ['num_bits: 4, group_size: 0', ['wrong-value']],
    ['num_bits: 4, type: integer', ['wrong-value']],
    ['num_bits: 4, strategy: groups', ['wrong-value']],
    ['num_bits: 4, symmetric: maybe', ['wrong-type']],
    ['num_bits: 4, dynamic: "true"', ['wrong-value']],
  ])('%s', (weights, expected) => {
    expect(errors(recipe(weights))).toEqual(expected);
  });

  it('judges the arguments of the modifier itself', () => {
    const weights = 'num_bits: 4, strategy: group, group_size: 128';
    expect(errors(recipe(weights, '      block_size: 128\n      dampening_frac: "0.01"\n'))).toEqual([]);
    expect(errors(recipe(weights, '      block_size: 100.5\n      offload_hessians: 3\n'))).toEqual([
      'wrong-type',
      'wrong-type',
    ]);
  });
});
