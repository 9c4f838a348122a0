// A real Better Auth server, from npm, on a database and secret that our programs use too. Its base URL
// is ours, as it is for a site that moves from one to the other or runs both behind one address, or,
// with `baseURL: null`, its own.
import '../../env/verify/node18.mjs';
import { betterAuth } from 'better-auth';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import http from 'node:http';
import pg from 'pg';
import { origin, request, secret, trusted } from '../http/harness.mjs';

export function options(url, more = {}) {
  return {
    database: new pg.Pool({ connectionString: url, max: 4 }),
    secret, baseURL: origin, trustedOrigins: [trusted], telemetry: { enabled: false },
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true } },
    rateLimit: { enabled: false },
    logger: { level: 'error' },
    plugins: [jwt()],
    ...more,
  };
}

// Starts it on a free port. `send` is the harness's request() to it; `origin` what it takes for its own.
export async function startReal(url, more = {}) {
  const server = http.createServer({ keepAliveTimeout: 600_000 }); // a busy machine may be slow to ask again
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  const configuration = options(url, more);
  configuration.baseURL ??= `http://127.0.0.1:${port}`;
  server.on('request', toNodeHandler(betterAuth(configuration)));
  const from = { origin: configuration.baseURL };
  return {
    port,
    origin: configuration.baseURL,
    send: (method, path, settings = {}) => request(method, path, { port, ...settings }),
    get: (route, cookie) => request('GET', `/api/auth/${route}`, { port, cookie }),
    post: (route, body, cookie) => request('POST', `/api/auth/${route}`, { port, cookie, body, headers: from }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => { server.close(resolve); });
      await configuration.database.end();
    },
  };
}
