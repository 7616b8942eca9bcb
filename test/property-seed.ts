import fc from 'fast-check';

/**
 * One seed for every property test, so that a run says the same twice and a failure is this change's. `SEED=random npm test` draws
 * new cases, `SEED=<number>` repeats those of a failure.
 */
const asked = process.env['SEED'];
if (asked !== 'random') fc.configureGlobal({ seed: asked === undefined ? 20260401 : Number(asked) });
