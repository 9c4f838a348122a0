// All checks of a run, in the order of execution: what others build on comes first, what disturbs last.
import { authentication } from './authentication.mjs';
import { browser } from './browser.mjs';
import { database } from './database.mjs';
import { environment, running } from './environment.mjs';
import { failure } from './failure.mjs';
import { handlers } from './handlers.mjs';
import { isolation } from './isolation.mjs';
import { journeys } from './journeys.mjs';
import { persistence } from './persistence.mjs';

export const allChecks = (context) => [
  ...environment, ...database, ...handlers(context), ...running, ...authentication, ...journeys, ...isolation, ...browser, ...persistence, ...failure,
];
