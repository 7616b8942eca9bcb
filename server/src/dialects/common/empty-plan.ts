import type { Plan, Planned, Sourced } from '../../plan/plan';

/** A plan that says nothing yet. */
export function emptyPlanOf(dialect: string, task: Plan['task']): Plan {
  return {
    dialect,
    task,
    model: {},
    quantization: {},
    cluster: {},
    layout: {},
    precision: {},
    optimizer: {},
    recompute: {},
    batch: {},
    pipeline: {},
    serving: {},
    experts: {},
    unresolved: [],
  };
}

/** A training plan that says nothing yet. */
export function emptyTraining(dialect: string): Plan {
  return emptyPlanOf(dialect, 'training');
}

function soft<T>(section: Planned<T>, note: string): Planned<T> {
  const entries = Object.entries(section as Readonly<Record<string, Sourced<unknown>>>).map(([key, value]) => [
    key,
    value.origin === 'default' ? { ...value, origin: 'assumed', note } : value,
  ]);
  return Object.fromEntries(entries) as Planned<T>;
}

/**
 * The plan of a file that only overrides something else: a default of the framework may be set there, so it is no more than an
 * assumption, which never carries an error.
 */
export function softened(plan: Plan, note: string): Plan {
  return {
    ...plan,
    layout: soft(plan.layout, note),
    precision: soft(plan.precision, note),
    optimizer: soft(plan.optimizer, note),
    recompute: soft(plan.recompute, note),
    batch: soft(plan.batch, note),
    pipeline: soft(plan.pipeline, note),
  };
}
