import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { relativePath } from '../../../client/src/uri-paths';

describe('relativePath', () => {
  it.each([
    ['/w/a.yaml', '/w/config.json', './config.json'],
    ['/w/serve/a.yaml', '/w/models/x/config.json', '../models/x/config.json'],
    ['/w/a.yaml', '/w/models/config.json', './models/config.json'],
    ['/w/models/a.yaml', '/w/models2/config.json', '../models2/config.json'],
  ])('from %s to %s', (from, to, expected) => {
    expect(relativePath(from, to)).toBe(expected);
    expect(posix.join(posix.dirname(from), expected)).toBe(to);
  });
});
