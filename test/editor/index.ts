import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { choiceSuite } from './choice.suite';
import { convertSuite } from './convert.suite';
import { effectiveSuite } from './effective.suite';
import { fixesSuite } from './fixes.suite';
import { languageSuite } from './language.suite';
import { lifecycleSuite } from './lifecycle.suite';
import { panelSuite } from './panels.suite';
import { pythonSuite } from './python.suite';

interface Outcome {
  readonly title: string;
  readonly state: string;
  readonly error?: string;
}

/** Called by VS Code inside the extension host: runs every suite and leaves the results where the runner finds them. */
export function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, reporter: 'spec', color: false });
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  // First of all: it looks at an editor in which no config was opened yet.
  lifecycleSuite();
  languageSuite();
  effectiveSuite();
  choiceSuite();
  fixesSuite();
  convertSuite();
  pythonSuite();
  panelSuite();
  const outcomes: Outcome[] = [];
  return new Promise((resolve, reject) => {
    const runner = mocha.run((failures) => {
      const target = process.env['SHARDLENS_TEST_RESULTS'];
      if (target !== undefined) writeFileSync(target, JSON.stringify(outcomes));
      if (failures > 0) reject(new Error(`${String(failures)} tests failed`));
      else resolve();
    });
    runner.on('pass', (test) => outcomes.push({ title: test.fullTitle(), state: 'passed' }));
    runner.on('pending', (test) => outcomes.push({ title: test.fullTitle(), state: 'skipped' }));
    runner.on('fail', (test, error: Error) =>
      outcomes.push({ title: test.fullTitle(), state: 'failed', error: error.message }),
    );
  });
}
