// All checks of a run, in the order of execution: what others build on comes first.
import { database } from './database.mjs';
import { environment, running } from './environment.mjs';
import { handlers } from './handlers.mjs';

export const allChecks = (context) => [
  ...environment, ...database, ...handlers(context), ...running(context),
];
