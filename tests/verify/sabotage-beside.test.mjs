// Sabotage beside a real Better Auth server, which is the front end of many deployments.
import { after, before, test } from 'node:test';
import { Deployment, assertFails } from './deployment.mjs';
import { startReal } from './harness.mjs';

let d;
before(async () => { d = await Deployment.start({ settings: { BETTER_AUTH_TRUSTED_ORIGINS: 'http://127.0.0.1:*' } }); });
after(() => d?.stop());

// `options()` are those of the real server; by default it is in order: the same secret, database and
// address as ours.
const sabotage = (name, wanted, options = () => ({}), around = (act) => act(d.database.url)) => test(name, async () => {
  assertFails(await around(async (url) => {
    const real = await startReal(url, { baseURL: d.origin, trustedOrigins: ['http://127.0.0.1:*'], ...options() });
    try {
      return await d.verify({ only: 'authentication', more: ['--frontend-url', `http://127.0.0.1:${real.port}`] });
    } finally {
      await real.stop();
    }
  }), wanted);
});

sabotage('no sabotage: ready', {});
sabotage('the front end runs with another secret', { 'authentication.sign-up': /cookie of the front end is not sealed with the file's secret\nthe front end runs with another BETTER_AUTH_SECRET/ }, () => ({ secret: 'another secret, of 32 characters and more' }));
sabotage('the front end runs on another database', { 'authentication.sign-up': /no row of this user in the file's database \(made at the front end\)\nthe front end works on another database/ }, undefined, (act) => d.withOtherDatabase(act));
sabotage('the front end issues tokens in its own name', { 'authentication.token-acceptance': /10 of 20 tokens accepted.*\nadd http:\/\/127\.0\.0\.1:\d+ to JWT_ISSUERS/ }, () => ({ baseURL: null }));
