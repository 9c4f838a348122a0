// Requests that two readers could split in two ways (RFC 9112, section 11.2): for every web server.
import assert from 'node:assert/strict';
import net from 'node:net';
import { base, randomId, request, someone } from './harness.mjs';

// Sends bytes and resolves to what comes back until the server closes, or is silent after an answer.
export function exchange(bytes, port = base.port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), base.hostname, () => socket.write(bytes, 'latin1'));
    const chunks = [];
    // A server may wait for the rest of what it takes for a body; closing our side ends that.
    socket.setTimeout(1500, () => { if (socket.writable) socket.end(); else socket.destroy(); });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.on('error', (error) => (['ECONNRESET', 'EPIPE'].includes(error.code) ? resolve(Buffer.concat(chunks).toString('latin1')) : reject(error)));
  });
}

export const statuses = (text) => [...text.matchAll(/(?:^|\r\n\r\n[^\r]*?)HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status));

// Each shape: the lines that make it ambiguous, and a body in which a second request is hidden from
// one of the two readers. Nothing of that request may ever happen.
export function shapes(user, host) {
  const inner = (mark) => {
    const body = JSON.stringify({ title: mark });
    return `POST /api/tasks HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${user.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const list = {
    'Content-Length and chunks': [['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    'chunks and Content-Length': [['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'],
    'two lengths': [['Content-Length: 2', 'Content-Length: 0'], '{}'],
    'two lengths, the other way': [['Content-Length: 0', 'Content-Length: 2'], '{}'],
    'two lengths in one line': [['Content-Length: 0, 2'], '{}'],
    'a length with a sign': [['Content-Length: +2'], '{}'],
    'a negative length': [['Content-Length: -1'], ''],
    'a hexadecimal length': [['Content-Length: 0x2'], '{}'],
    'a length with a blank inside': [['Content-Length: 0 2'], '{}'],
    'a length beyond 64 bits': [['Content-Length: 18446744073709551616'], ''],
    'a blank before the colon': [['Content-Length : 2'], '{}'],
    'chunks with a blank before the colon': [['Transfer-Encoding : chunked'], '0\r\n\r\n'],
    'a folded line': [['X-Folded: a', ' Content-Length: 2'], '{}'],
    'folded chunks': [['Transfer-Encoding:', ' chunked'], '0\r\n\r\n'],
    'chunks that end in identity': [['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
    'an unknown coding': [['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
    'chunks after a vertical tab': [['Transfer-Encoding: \x0bchunked'], '0\r\n\r\n'],
    'two codings': [['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
    'chunks under HTTP/1.0': [['Transfer-Encoding: chunked'], '0\r\n\r\n', '1.0'],
    'a chunk beyond 64 bits': [['Transfer-Encoding: chunked'], '10000000000000002\r\n{}\r\n0\r\n\r\n'],
    'a negative chunk': [['Transfer-Encoding: chunked'], '-2\r\n{}\r\n0\r\n\r\n'],
    'a chunk with a prefix': [['Transfer-Encoding: chunked'], '0x2\r\n{}\r\n0\r\n\r\n'],
    'a NUL in a header': [['X-Nul: a\0b', 'Content-Length: 2'], '{}'],
    'a CR in a header': [['X-Cr: a\rContent-Length: 2'], '{}'],
  };
  return Object.entries(list).map(([name, [lines, body, version = '1.1']]) => {
    const mark = `smuggled ${randomId()}`;
    const head = [`PUT /api/tasks/0 HTTP/${version}`, `Host: ${host}`, `Authorization: Bearer ${user.token}`, 'Content-Type: application/json', ...lines].join('\r\n');
    return { name, mark, bytes: `${head}\r\n\r\n${body}${inner(mark)}` };
  });
}

export async function assertNothingIsSmuggled(port = base.port) {
  const user = someone();
  await Promise.all(shapes(user, base.host).map(async ({ name, bytes }) => {
    const text = await exchange(bytes, port);
    const found = statuses(text);
    assert.ok(found.length >= 1 || text === '', `${name}: ${text.slice(0, 200)}`);
    assert.ok(found.every((status) => status >= 400 && status < 500 || status === 501), `${name}: ${found}`);
    assert.ok(found.length <= 1, `${name}: answered twice: ${found}`);
  }));
  assert.deepEqual((await request('GET', '/api/tasks', { token: user.token, port })).json, []);
}
