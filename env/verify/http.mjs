// Requests as they are on the wire: paths are not normalised, redirects not followed, and whoever
// answers "too many requests" is obeyed. Must not know: routes, users.
import http from 'node:http';
import https from 'node:https';

const agents = { 'http:': new http.Agent({ keepAlive: true, maxSockets: 128 }), 'https:': new https.Agent({ keepAlive: true, maxSockets: 128 }) };
const LONGEST_WAIT = 20 * 60e3;

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function once(url, method, path, { headers, payload, timeout }) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const sent = (url.protocol === 'https:' ? https : http).request({
      protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || undefined, agent: agents[url.protocol], method, path, headers,
    }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        let json;
        try { json = JSON.parse(text); } catch { json = undefined; }
        resolve({ status: response.statusCode, headers: response.headers, text, json, ms: performance.now() - begin });
      });
    });
    sent.setTimeout(timeout, () => sent.destroy(Object.assign(new Error(`no answer within ${timeout / 1000} s`), { code: 'ETIMEDOUT' })));
    sent.on('error', reject);
    sent.end(payload);
  });
}

// Sends one request and resolves to {status, headers, text, json, ms}.
export async function request(url, method, path, { headers = {}, body, token, cookie, timeout = 30000, patient = true } = {}) {
  const all = { 'user-agent': 'todo-verify', ...headers };
  if (token !== undefined) all.authorization = `Bearer ${token}`;
  if (cookie) all.cookie = cookie;
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  if (payload !== undefined) {
    all['content-type'] ??= 'application/json';
    all['content-length'] = Buffer.byteLength(payload);
  }
  for (let waited = 0, again = false; ;) {
    let answer;
    try {
      answer = await once(url, method, path, { headers: all, payload, timeout });
    } catch (error) {
      // A kept connection that the server closed just then; the request was not begun to be answered.
      if (error.code !== 'ECONNRESET' || again || method !== 'GET') throw error;
      again = true;
      continue;
    }
    const wait = 1000 * Number(answer.headers['x-retry-after'] ?? answer.headers['retry-after'] ?? 1);
    if (answer.status !== 429 || !patient || !(wait >= 0) || waited > LONGEST_WAIT) return answer;
    waited += wait;
    request.waits += 1;
    await pause(wait + 50);
  }
}
request.waits = 0; // how often a rate limit made us wait

// One line about an answer that was not wanted.
export function describe(answer) {
  const code = answer.json?.code ?? answer.json?.error ?? '';
  const message = answer.json?.message ?? answer.text.slice(0, 80).replace(/\s+/g, ' ');
  return `${answer.status}${code ? ` ${code}` : ''}${message ? ` "${message}"` : ''}`;
}

// An answer that a handler wrote, and not the web server for want of one.
export const byHandler = (answer) => answer.headers['x-request-id'] !== undefined;
