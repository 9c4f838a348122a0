// What every kind of test needs: a port, the moment when something holds, and no settings of somebody else.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// A port that nobody has. Below those of outgoing connections (ip_local_port_range begins at 32768), so
// that none of them takes it in between.
export async function freePort() {
  for (;;) {
    const port = 12000 + Math.floor(Math.random() * 8000);
    const server = net.createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

// Resolves to the first value of `condition` that is not false; rejects after `seconds`.
export async function until(what, condition, seconds = 90) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const met = await condition();
    if (met) return met;
    if (Date.now() >= end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(20);
  }
}

// Every setting that there is, and for an environment each of them as not set: an empty one counts as that.
export const settingNames = [...readFileSync(new URL('../env/example.env', import.meta.url), 'utf8').matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)]
  .map(([, name]) => name);
export const noSettings = Object.fromEntries(settingNames.map((name) => [name, '']));

// The Set-Cookie lines of what fetch() has. Debian 12's Node has Headers without getSetCookie(), and gives
// them in one; a comma in a date has no "name=" behind it.
export const setCookiesOf = ({ headers }) => headers.getSetCookie?.() ?? (headers.get('set-cookie') ?? '').split(/, (?=[^;,= ]+=)/).filter(Boolean);
