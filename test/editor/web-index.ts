import { choiceSuite } from './choice.suite';
import { convertSuite } from './convert.suite';
import { effectiveSuite } from './effective.suite';
import { fixesSuite } from './fixes.suite';
import { languageSuite } from './language.suite';
import { lifecycleSuite } from './lifecycle.suite';
import { panelSuite } from './panels.suite';
import { pythonSuite } from './python.suite';
// Mocha's build for browsers defines the global `mocha`.
import 'mocha/mocha.js';

/** Called by VS Code inside a web worker: the same suites as on a desktop, counted in a line that the runner reads. */
export function run(): Promise<void> {
  mocha.setup({ ui: 'bdd', reporter: 'spec', color: false, timeout: 60_000 });
  lifecycleSuite();
  languageSuite();
  effectiveSuite();
  choiceSuite();
  fixesSuite();
  convertSuite();
  pythonSuite();
  panelSuite();
  let passed = 0;
  return new Promise((resolve, reject) => {
    const runner = mocha.run((failures) => {
      console.log(`web host: ${String(passed)} passed, ${String(failures)} failed`);
      if (failures > 0) reject(new Error(`${String(failures)} tests failed`));
      else resolve();
    });
    runner.on('pass', () => {
      passed += 1;
    });
    runner.on('fail', (test, error: Error) => {
      console.error(`${test.fullTitle()}: ${error.stack ?? error.message}`);
    });
  });
}
