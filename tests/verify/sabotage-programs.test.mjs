// Sabotaged programs and web servers. The programs with a fault in them are built from the real sources
// with one place changed.
import { after, before, test } from 'node:test';
import { Deployment, assertFails, faketime } from './deployment.mjs';

let d;
before(async () => { d = await Deployment.start(); });
after(() => d?.stop());

const sabotage = (name, only, wanted, act) => test(name, async () => {
  assertFails(await act((options = {}) => d.verify({ only, ...options })), wanted);
});
// One program, replaced by one with other settings or by a test build.
const withSettings = (name, program, settings, only, wanted, options = () => ({})) =>
  sabotage(name, only, wanted, (run) => d.withProgram(program, { settings: settings() }, () => run(options())));

// --- Programs and the web server ------------------------------------------------------------------

const RUNNING = 'environment,handlers';
sabotage('no sabotage: ready', 'environment,database,handlers,authentication,journeys,isolation,persistence', {}, (run) => run({ journeys: 4 }));
sabotage('one handler is stopped', RUNNING, { 'handlers.task_complete': /503 .*\ntask_complete does not run/ }, (run) => d.without('task_complete', run));
sabotage('two handlers are stopped', RUNNING, { 'handlers.session': /\nsession does not run/, 'handlers.task_list': /\ntask_list does not run/ },
  (run) => d.without('session', () => d.without('task_list', run)));
sabotage('the handler for unknown paths is stopped', RUNNING, { 'handlers.fallback': /503 unavailable .*\nfallback does not run/ }, (run) => d.without('fallback', run));
withSettings('a task handler runs with another secret', 'task_update', () => ({ BETTER_AUTH_SECRET: 'x'.repeat(44) }), RUNNING,
  { 'environment.running-secret': /refused \(401\) by task_update\ntask_update runs with another secret: restart task_update/ });
withSettings('an auth handler runs with another secret', 'sessions', () => ({ BETTER_AUTH_SECRET: 'x'.repeat(44) }), RUNNING,
  { 'environment.running-cookies': /is none to sessions\nrestart sessions/ });
sabotage('a handler runs on another database', RUNNING, { 'environment.running-database': /not those of task_list\ntask_list runs on another database/ },
  (run) => d.withOtherDatabase((url) => d.withProgram('task_list', { settings: { DATABASE_URL: url } }, run)));
sabotage('a route is missing in nginx\'s map', RUNNING, { 'handlers.route-list': /not in the map: .*PATCH \/api\S+\(complete\|toggle\) \(task_complete\)\nmake the include files anew with nginx\/render/ },
  (run) => d.withNginx('todo-fcgi-http.conf', (text) => text.replace(/.* task_complete;\n/g, ''), run));
sabotage('a route leads to another program', RUNNING, { 'handlers.route-list': /GET \S+ leads to task_list, not task_get/ },
  (run) => d.withNginx('todo-fcgi-http.conf', (text) => text.replaceAll(' task_get;', ' task_list;'), run));
sabotage('nginx keeps the Authorization header to itself', RUNNING, { 'environment.running-secret': /no token arrives.*\n.*Authorization/ },
  (run) => d.withNginx('todo-fcgi-params.conf', (text) => `${text}fastcgi_param HTTP_AUTHORIZATION "";\n`, run));
sabotage('nothing answers at the URL', RUNNING, { 'handlers.web-server': /nothing answers at/ }, (run) => run({ origin: 'http://127.0.0.1:9' }));

// --- Addresses and clocks -------------------------------------------------------------------------

withSettings('an origin is missing in a handler\'s CORS', 'task_list', () => ({ BETTER_AUTH_TRUSTED_ORIGINS: '' }), 'authentication',
  { 'authentication.cors': /http:\/\/app\.example\.test.*\n.*BETTER_AUTH_TRUSTED_ORIGINS/ }, () => ({ backend: { ...d.backendEnv, BETTER_AUTH_TRUSTED_ORIGINS: 'http://app.example.test' } }));
withSettings('sign-up takes itself to be at another address', 'signup', () => ({ BETTER_AUTH_URL: 'http://elsewhere.example.test' }), 'authentication',
  { 'authentication.sign-up': /403.*\nthe origin http:\/\/127\.0\.0\.1:\d+ is not trusted: let BETTER_AUTH_URL be/ });
withSettings('tokens are issued in the name of another address', 'token', () => ({ BETTER_AUTH_URL: 'http://elsewhere.example.test' }), 'authentication',
  { 'authentication.token-acceptance': /0 of \d+ tokens accepted.*iss http:\/\/elsewhere\.example\.test.*\n.*BETTER_AUTH_URL/ });
const late = () => ({ LD_PRELOAD: faketime(), FAKETIME: '-600s', FAKETIME_DONT_FAKE_MONOTONIC: '1' });
const early = () => ({ ...late(), FAKETIME: '+600s' });
withSettings('the clock of the issuer is ten minutes ahead', 'token', early, 'authentication', { 'authentication.token-lifetime': /"iat".* \d+ s ahead of this machine's clock\nset the clock/ });
withSettings('the clock of a verifier is ten minutes behind', 'task_get', late, 'authentication', { 'authentication.program-clocks': /ended 60 s ago is good to task_get\nset the clock .* it is behind/ });
withSettings('the clock of a verifier is ten minutes ahead', 'task_update', early, 'authentication', { 'authentication.program-clocks': /good for 60 s more is expired to task_update\nset the clock .* it is ahead/ });
