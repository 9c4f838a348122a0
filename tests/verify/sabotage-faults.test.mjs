// Programs with a fault in them, built from the real sources with one place changed.
import { after, before, test } from 'node:test';
import { Deployment, assertFails, buildWith } from './deployment.mjs';
import { FAULTS } from './faults.mjs';

let d;
// Without the programs' roles, so without the second wall of row-level security, which would hide what
// a program has forgotten.
before(async () => { d = await Deployment.start({ settings: { DATABASE_ROLES: 'off' } }); });
after(() => d?.stop());

const withFault = (name, fault, only, wanted) => test(name, async () => {
  const program = await buildWith(...FAULTS[fault]);
  assertFails(await d.withProgram(FAULTS[fault][0], { program }, () => d.verify({ only })), wanted);
});

// --- Whose task is it? ----------------------------------------------------------------------------

const leak = (what) => ({ 'isolation.by-id': what, 'isolation.parallel': /on the other's task: 20|a row is/ });
withFault('a task is shown to anybody who knows its number', 'getsAnybodysTask', 'isolation', leak(/GET \S+\/\{id of A\}: 200 .*\nthe program of this route does not name the owner/));
withFault('a task is changed by anybody', 'updatesAnybodysTask', 'isolation', leak(/rows of A were changed by PUT/));
withFault('a task is completed by anybody', 'completesAnybodysTask', 'isolation', leak(/rows of A were changed by PATCH .*\/complete: 200/));
// Nothing is left then for the other check to look at.
withFault('a task is deleted by anybody', 'deletesAnybodysTask', 'isolation', { 'isolation.by-id': /rows of A were changed by DELETE/ });
withFault('the list shows everybody\'s tasks', 'listsEverybodysTasks', 'isolation', { 'isolation.by-id': /shows tasks of A/ });
withFault('the list believes the path', 'listsForUserInPath', 'isolation', { 'isolation.by-path': /GET \S+: 200 .* instead of 401/ });
withFault('a task is created for whom the path names', 'createsForUserInPath', 'isolation', { 'isolation.by-path': /rows of A were changed/ });

// --- Whose token is it? ---------------------------------------------------------------------------

const refuses = (kind, what) => ({ [`authentication.refuses-${kind}`]: what });
withFault('"exp" is ignored', 'ignoresExp', 'authentication', refuses('expired', /not refused: .*ended .*\ntask_get must answer 401/));
withFault('"nbf" is ignored', 'ignoresNbf', 'authentication', refuses('not-yet-valid', /not refused: valid in an hour.*\ntask_delete must/));
withFault('tokens without a signature are accepted', 'acceptsNone', 'authentication', refuses('none', /not refused: alg "none".*\ntask_update must/));
withFault('signatures are not compared', 'ignoresSignature', 'authentication', {
  ...refuses('tampered', /not refused: another signature.*\ntask_list must/), ...refuses('wrong-key', /not refused.*\ntask_list must/), ...refuses('malformed', /not refused: 9 kB.*\ntask_list must/),
});
withFault('the issuer is ignored', 'ignoresIssuer', 'authentication', refuses('wrong-issuer', /not refused.*\ntask_create must/));
withFault('a cached session is taken for a token', 'ignoresFamily', 'authentication', refuses('wrong-family', /not refused: a cached session.*\ntask_complete must/));
withFault('tokens are dead when they are issued', 'issuesDeadTokens', 'authentication', { 'authentication.token-lifetime': /live 0 s/ });
withFault('tokens live for ten years', 'issuesEternalTokens', 'authentication', { 'authentication.token-lifetime': /live \d+ s\na stolen token/ });
withFault('signing out does not end the session', 'keepsSessions', 'journeys', { 'journeys.all': /sign-out: the session lives on for whoever kept its cookie/ });

// --- Is it written down? --------------------------------------------------------------------------

const WRITTEN = 'environment,journeys,persistence';
const OTHERWISE = /agree on something else than what was written/;
withFault('a new task is not stored', 'createsNothing', WRITTEN, {
  'environment.running-database': /not those of task_create/, 'journeys.all': /list: 0 tasks instead of the 2 that were made/, 'journeys.latency': /404/, 'persistence.api-equals-table': /404/,
});
withFault('a toggle is not stored', 'completesNothing', WRITTEN, {
  'environment.running-database': /task_complete found a row .* but it is not\ntask_complete does not write what it is told/, 'journeys.all': /"completed" is false instead of true/, 'persistence.api-equals-table': OTHERWISE,
});
withFault('a deletion is not stored', 'deletesNothing', WRITTEN, { 'environment.running-database': /task_delete found a row .* but it is not\n/, 'persistence.api-equals-table': OTHERWISE });
withFault('a description is not replaced', 'losesDescriptions', WRITTEN, { 'journeys.all': /update: the answer is not what was sent/, 'persistence.api-equals-table': OTHERWISE });
withFault('the list shows the newest task only', 'listsTheNewestOnly', WRITTEN, { 'journeys.all': /list: 1 tasks instead of the 2/, 'persistence.api-equals-table': /1 tasks in the API, 5 rows in the table/ });
withFault('a task is shown with another time than its row has', 'showsWrongTimes', WRITTEN, { 'persistence.api-equals-table': /"created_at" of a task is "[^"]+" in the API and "[^"]+" in the table/ });
