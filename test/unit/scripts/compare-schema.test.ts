import { describe, expect, it } from 'vitest';
import { compare, knownOf, settingsOf } from '../../../scripts/compare-schema.mjs';

const SOURCE = `
parser.add_argument("--tensor-parallel-size", "--tp", type=int, default=1,
    help="Ranks (of one group), e.g. '8'.")
parser.add_argument('--new-thing', action="store_true")

@dataclass
class Args(Base):
    """Settings: all of them."""

    page_size: int = 64
    model: str
    ratio: float = field(default=0.5)

    def check(self) -> None:
        local: int = 3
`;

describe('the comparison of a schema with a newer source', () => {
  it('reads argparse, dataclasses and fields, and no local variables', () => {
    expect([...settingsOf(SOURCE)]).toEqual([
      ['tensor_parallel_size', 1],
      ['tp', 1],
      ['new_thing', undefined],
      ['page_size', 64],
      ['model', undefined],
      ['ratio', 0.5],
    ]);
  });
  it('tells new, gone and changed settings, names with dashes or underscores alike', () => {
    const known = knownOf({
      properties: {
        'tensor-parallel-size': { default: 1, 'x-aliases': ['tp'] },
        'page-size': { default: 1 },
        model: {},
        ratio: { default: 0.5 },
      },
      'x-removed': { 'old-thing': 'model' },
    });
    expect(compare(known, settingsOf(SOURCE))).toEqual({
      added: ['new_thing'],
      gone: ['old_thing'],
      changed: ['page_size: 1 -> 64'],
    });
  });
});
