/** The few assertions that the suites use, for a worker that has no `node:assert`. */
function fail(message: string | undefined, otherwise: string): never {
  throw new Error(message ?? otherwise);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

const assert = {
  ok(value: unknown, message?: string): asserts value {
    if (value === undefined || value === null || value === false || value === 0 || value === '')
      fail(message, `${show(value)} is not true`);
  },
  equal(actual: unknown, expected: unknown, message?: string): void {
    if (!Object.is(actual, expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
  },
  deepEqual(actual: unknown, expected: unknown, message?: string): void {
    if (show(actual) !== show(expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
  },
  match(text: string, pattern: RegExp, message?: string): void {
    if (!pattern.test(text)) fail(message, `${show(text)} does not match ${String(pattern)}`);
  },
};

// The module that this one stands in for is imported by its default.
export { assert as default };
