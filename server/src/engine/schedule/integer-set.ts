/**
 * A set of small whole numbers that lists its members in CPython's order. torch frees sharded stages in the order its
 * set yields them, so a byte-exact schedule needs the same order.
 * Source: CPython 3.11 Objects/setobject.c `set_add_entry`, `set_table_resize`.
 */
export class IntegerSet {
  private table: (number | 'removed' | undefined)[] = new Array<undefined>(8).fill(undefined);
  private filled = 0;
  private used = 0;

  private find(value: number): number {
    const mask = this.table.length - 1;
    let i = value & mask;
    let perturb = value;
    for (;;) {
      // Tables of ten slots and more look at nine neighbours before they jump.
      const reach = i + 9 <= mask ? 9 : 0;
      for (let near = i; near <= i + reach; near += 1) {
        const entry = this.table[near];
        if (entry === undefined || entry === value) return near;
      }
      perturb = Math.floor(perturb / 32);
      i = (i * 5 + 1 + perturb) & mask;
    }
  }

  has(value: number): boolean {
    return this.table[this.find(value)] === value;
  }

  add(value: number): void {
    const at = this.find(value);
    if (this.table[at] === value) return;
    this.table[at] = value;
    this.filled += 1;
    this.used += 1;
    if (this.filled * 5 >= (this.table.length - 1) * 3) this.resize(this.used * 4);
  }

  delete(value: number): void {
    const at = this.find(value);
    if (this.table[at] !== value) return;
    this.table[at] = 'removed';
    this.used -= 1;
  }

  values(): number[] {
    return this.table.filter((entry): entry is number => typeof entry === 'number');
  }

  private resize(least: number): void {
    let size = 8;
    while (size <= least) size *= 2;
    const members = this.values();
    this.table = new Array<undefined>(size).fill(undefined);
    for (const value of members) this.table[this.find(value)] = value;
    this.filled = members.length;
  }
}
