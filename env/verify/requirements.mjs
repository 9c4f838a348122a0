// The identifiers of the specification, and what the checks that serve them say together. Which check
// serves which is said where the check is.

const TEXTS = {
  'FR-001': 'The front end and the handlers use the identical BETTER_AUTH_SECRET',
  'FR-002': 'The front end and the handlers use the same database',
  'FR-003': 'Tokens that Better Auth issues are accepted by the task service',
  'FR-004': 'Nobody reaches the tasks of somebody else',
  'FR-005': 'Tokens are carried in the Authorization header, and every other request is refused',
  'FR-006': 'The flows work from sign-up to the last task, across both systems',
  'FR-007': 'A mismatch of settings is reported with its cause',
  'FR-008': 'Connections to the database are encrypted',
  'FR-009': 'Create, read, update and delete are consistent between the API and the database',
  'SC-001': '100 % of journeys succeed',
  'SC-002': 'DATABASE_URL of both systems leads to one database',
  'SC-003': 'At least 99 % of tokens are accepted (asked for here: all)',
  'SC-004': 'Tasks persist across restarts',
  'SC-005': 'Every mismatch is reported',
  'SC-006': 'Isolation holds, also in parallel',
};

// One failed check fails the requirement; one that could not be tried leaves it open.
function together(checks) {
  const counted = checks.filter(({ status, required }) => !(status === 'skip' && !required));
  if (counted.length === 0) return 'skip';
  for (const status of ['fail', 'skip', 'warn']) if (counted.some((check) => check.status === status)) return status;
  return 'pass';
}

export function requirementsOf(checks) {
  return Object.entries(TEXTS).map(([id, text]) => {
    const serving = checks.filter(({ requirements }) => requirements.includes(id));
    return { id, text, status: together(serving), checks: serving.map((check) => check.id) };
  });
}
