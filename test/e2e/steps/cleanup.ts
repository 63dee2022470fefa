type Step = () => Promise<unknown> | void;

/**
 * Ends everything that a spec started, newest first, when the spec is over, whether it passed or not. Call once at the
 * top of a spec file; one failing step does not keep the others from running.
 */
export function cleanupAfterAll(): (step: Step) => void {
  const steps: Step[] = [];
  afterAll(async () => {
    const failures: unknown[] = [];
    for (const step of steps.reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
  }, 60_000);
  return (step) => void steps.push(step);
}
