import { tableTree } from '../dialects/placement/recognise';
import { detectDialect, dialects } from '../dialects/registry';
import type { Companion, Dialect, DialectReading, Reference } from '../dialects/dialect';
import type { Finding, Severity } from '../plan/finding';
import { resolvePlan } from '../plan/resolve';
import type { MemoryReport } from '../engine/memory/report';
import type { Plan, ResolvedPlan } from '../plan/plan';
import { checkPlan } from '../plan/rules/rules';
import { usablePlan } from '../plan/usable';
import { parseConfig } from '../syntax/parse';
import type { ConfigTree } from '../syntax/tree';
import type { Analysis, AnalysisInput } from './analysis';
import { calibrationFindings } from './calibrate/findings';
import { completePlan, findWorkspaceDirective, type ReadUri } from './context';
import { lazyCalibration, lazyCost, runTerms } from './cost';
import { lazyServingCost, servingLoad } from './serving-cost';
import { commentDirective, settingsDirective } from './directives';
import { indexLines } from './lines';
import { estimateMemory } from './estimates';
import { customScheduleFindings } from './schedule/custom';
import { linkedPlacements } from './placement/linked';
import { placementRemarks } from './placement/remarks';
import { contextAboveCache } from './rules/context-length';
import { measuredMemory } from './rules/measured-memory';
import { unknownGpu, unknownModel } from './rules/unknown-names';
import { noRoomForCache, OUT_OF_MEMORY, outOfMemory } from './rules/out-of-memory';
import { fileNameOf, languageOf, resolveBeside } from './uris';

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, information: 2, hint: 3 };
const COMPANION_LIMIT = 20;

/** Companion files of one analysis: answers what the caller has, and writes down what it lacks. */
function companions(input: AnalysisInput): { readonly read: ReadUri; readonly wanted: Set<string> } {
  const wanted = new Set<string>();
  const seen = new Map<string, Companion | undefined>();
  const parse = input.parseFile ?? ((uri: string, text: string): ConfigTree => parseConfig(text, languageOf(uri)));
  const read: ReadUri = (uri) => {
    if (uri === input.uri || (!seen.has(uri) && seen.size >= COMPANION_LIMIT)) return undefined;
    if (!seen.has(uri)) {
      const text = input.files(uri);
      if (text === undefined) wanted.add(uri);
      seen.set(uri, typeof text === 'string' ? { uri, tree: parse(uri, text) } : undefined);
    }
    return seen.get(uri);
  };
  return { read, wanted };
}

/** Lines that a template engine takes away or repeats: until then the text need not be YAML. */
const TEMPLATE_LINE = /^[ \t]*(?:\{\{-?\s*(?:if|else|end|range|with|define|include|template|block|\$|\/\*)|\{%)/m;

function syntaxFindings(tree: ConfigTree): Finding[] {
  const template = tree.language === 'yaml' && TEMPLATE_LINE.test(tree.text);
  const issues = template
    ? tree.issues.filter(({ code }) => code !== 'syntax' && code !== 'duplicate-key')
    : tree.issues;
  return issues.map((issue) => ({
    rule: `syntax-${issue.code}`.replace('syntax-syntax', 'syntax'),
    severity: issue.code === 'duplicate-key' ? 'warning' : issue.code === 'too-large' ? 'information' : 'error',
    message: issue.message,
    at: { span: issue.span },
  }));
}

/** A rule that fails must cost its own finding only: the fault is told as information, and everything else stands. */
function guarded(id: string, run: () => readonly Finding[]): readonly Finding[] {
  try {
    return run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [
      {
        rule: 'internal-fault',
        severity: 'information',
        message: `The rule ${id} could not be evaluated on this file (${reason}); please report this.`,
      },
    ];
  }
}

function ruleFindings(
  resolved: ResolvedPlan,
  memory: MemoryReport | undefined,
  earlier: readonly Finding[],
  own: DialectReading['check'],
  tree: ConfigTree,
): Finding[] {
  const shared = [
    ...checkPlan({ plan: resolved.plan, resolved }, guarded),
    ...(own === undefined ? [] : guarded(`${resolved.plan.dialect}-checks`, () => own(resolved))),
    ...guarded('unknown-gpu', () => unknownGpu(resolved)),
    ...guarded('unknown-model', () => unknownModel(resolved)),
  ];
  // A plan that is refused anyway has no memory to speak of.
  const refused = [...earlier, ...shared].some(({ severity }) => severity === 'error');
  return refused
    ? shared
    : [
        ...shared,
        ...guarded(OUT_OF_MEMORY, () => [...outOfMemory(resolved, memory), ...noRoomForCache(resolved, memory)]),
        ...guarded('context-above-cache', () => contextAboveCache(resolved, memory)),
        ...guarded('measured-memory', () => measuredMemory(resolved, memory, tree)),
      ];
}

function applySettings(
  findings: readonly Finding[],
  settings: AnalysisInput['settings'],
  ignored: ReadonlySet<string>,
): Finding[] {
  if (ignored.has('all')) return [];
  return findings
    .flatMap((finding): Finding[] => {
      const override = settings.rules[finding.rule];
      if (override === 'off' || ignored.has(finding.rule)) return [];
      return [override === undefined ? finding : { ...finding, severity: override }];
    })
    .map((finding, index) => ({ finding, index }))
    .sort((a, b) => RANK[a.finding.severity] - RANK[b.finding.severity] || a.index - b.index)
    .map(({ finding }) => finding);
}

function located(references: readonly Reference[], uri: string): (Reference & { readonly uri: string })[] {
  return references.flatMap((reference) => {
    const target = resolveBeside(uri, reference.target);
    return target === undefined ? [] : [{ ...reference, uri: target }];
  });
}

/** Everything known about one version of one document. Pure: the same input gives the same answer; never throws. */
export function analyze(input: AnalysisInput): Analysis {
  const tree =
    tableTree(input.text) ?? parseConfig(input.text, languageOf(input.uri, input.languageId), input.parseMemory);
  const base = {
    uri: input.uri,
    version: input.version,
    text: input.text,
    lines: indexLines(input.text),
    tree,
    settings: input.settings,
  };
  const { read, wanted } = companions(input);
  const comment = commentDirective(tree);
  const workspace = findWorkspaceDirective(input.uri, read);
  const settings = settingsDirective(input.settings);
  const forced = comment.dialect ?? workspace.dialect ?? settings.dialect;
  const detection = forced === 'none' ? undefined : detectDialect(tree, fileNameOf(input.uri), forced);
  const dialect = detection === undefined ? undefined : dialects.find(({ id }) => id === detection.dialect);
  // A file that is not ours costs no reads beyond the workspace file and says nothing.
  if (detection === undefined || dialect === undefined)
    return { ...base, references: [], findings: [], wanted: [...wanted] };
  const beside = (path: string): string | undefined => resolveBeside(input.uri, path);
  return readAs(base, detection, dialect, { input, read, wanted, beside, directives: [comment, workspace, settings] });
}

/** Defaults that the framework takes from the device or the model can only be filled once both are known. */
function withFrameworkDefaults(plan: Plan, { complete }: DialectReading): Plan {
  if (complete === undefined) return plan;
  const { memoryBytes, computeCapability } = plan.cluster;
  return complete(plan, {
    model: plan.model,
    ...(memoryBytes === undefined ? {} : { memoryBytes: memoryBytes.value }),
    ...(computeCapability === undefined ? {} : { computeCapability: computeCapability.value }),
  });
}

/** Measurements that the caller gives, or that a comment, the workspace file or a setting names, and what is wrong with them. */
function measuredBy({ input, directives, beside, read }: Reach): {
  readonly text: string | undefined;
  readonly findings: readonly Finding[];
} {
  if (input.calibrationText !== undefined) return { text: input.calibrationText, findings: [] };
  const named = directives.map(({ calibration }) => calibration).find((path) => path !== undefined);
  const uri = named === undefined ? undefined : beside(named.value);
  if (uri === undefined) return { text: undefined, findings: [] };
  const text = read(uri)?.tree.text;
  return { text, findings: calibrationFindings(named, text ?? input.files(uri)) };
}

interface Reach {
  readonly input: AnalysisInput;
  readonly read: ReadUri;
  readonly wanted: ReadonlySet<string>;
  readonly beside: (path: string) => string | undefined;
  readonly directives: readonly ReturnType<typeof commentDirective>[];
}

/** The recording that comment or workspace file name for judging placements. */
function loadsOf(directives: Reach['directives']): Reference[] {
  const named = directives.map(({ loads }) => loads).find((loads) => loads?.at !== undefined);
  return named?.at === undefined ? [] : [{ at: named.at, target: named.value, kind: 'loads' }];
}

function readAs(
  base: Omit<Analysis, 'references' | 'findings' | 'wanted'>,
  detection: NonNullable<Analysis['detection']>,
  dialect: Dialect,
  reach: Reach,
): Analysis {
  const reading = dialect.read(base.tree, (path) => {
    const uri = reach.beside(path);
    return uri === undefined ? undefined : reach.read(uri);
  });
  const plan = completePlan(reading, reach.directives, { uri: base.uri, read: reach.read, beside: reach.beside });
  const usable = usablePlan(withFrameworkDefaults(plan, reading));
  const resolved = resolvePlan(usable.plan);
  const memory = estimateMemory(resolved);
  const told = [...reading.findings, ...usable.findings];
  const references = located([...reading.references, ...loadsOf(reach.directives)], base.uri);
  const linked = guarded('linked-placements', () =>
    linkedPlacements(resolved, references, reach.input.files, (uri) => reach.read(uri)?.tree),
  );
  const custom = guarded('custom-schedule', () => customScheduleFindings(resolved, references, reach.input.files));
  const measured = measuredBy(reach);
  const remarks = guarded('placement-remarks', () => placementRemarks(resolved));
  const rules = ruleFindings(resolved, memory, told, reading.check, base.tree);
  const findings = [
    ...syntaxFindings(base.tree),
    ...told,
    ...rules,
    ...linked,
    ...custom,
    ...remarks,
    ...measured.findings,
  ];
  // Named files are wanted even where no rule reads them: links must know what is there, panels draw placements.
  const named = references.map(({ uri }) => uri).filter((uri) => reach.input.files(uri) === undefined);
  const terms = runTerms(reach.directives);
  const load = servingLoad(reach.directives);
  const calibrated = lazyCalibration(resolved, load, memory, measured.text);
  const ignored = new Set(reach.directives.flatMap(({ ignore }) => ignore));
  return {
    ...base,
    detection,
    dialect,
    reading,
    // Schedules are timed from the plan alone, so it carries the rates that measurements set.
    resolved: measured.text === undefined ? resolved : { ...resolved, calibration: () => calibrated()?.calibration },
    ...(memory === undefined ? {} : { memory }),
    terms,
    calibrated,
    cost: lazyCost(resolved, terms, calibrated),
    load,
    servingCost: lazyServingCost(resolved, load, calibrated),
    references,
    again: (text) => {
      // What the parser remembers belongs to the text that stands in the editor.
      const { parseMemory: _, ...input } = reach.input;
      return analyze({ ...input, text });
    },
    findings: applySettings(findings, reach.input.settings, ignored),
    wanted: [...new Set([...reach.wanted, ...named])].slice(0, COMPANION_LIMIT),
  };
}
