// Tokens as a front end has them, and as an attacker makes them. Must not know: routes.
import crypto from 'node:crypto';

const b64 = (value) => Buffer.from(value).toString('base64url');
const text = (part) => (typeof part === 'string' ? part : JSON.stringify(part));
export const now = () => Math.floor(Date.now() / 1000);

export function hs256(claims, secret, header = { alg: 'HS256', typ: 'JWT' }) {
  const input = `${b64(text(header))}.${b64(text(claims))}`;
  return `${input}.${crypto.createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export function eddsa(claims, key, kid, header = { alg: 'EdDSA', kid }) {
  const input = `${b64(text(header))}.${b64(text(claims))}`;
  return `${input}.${crypto.sign(null, Buffer.from(input), key).toString('base64url')}`;
}

export const unsigned = (claims, alg = 'none') => `${b64(JSON.stringify({ alg, typ: 'JWT' }))}.${b64(JSON.stringify(claims))}.`;

// `part` is 0 (header) or 1 (claims); undefined for what is no token.
export function decoded(token, part) {
  try { return JSON.parse(Buffer.from(token.split('.')[part], 'base64url').toString('utf8')); } catch { return undefined; }
}

// One character less or more of the text is another signature.
export const withOtherSignature = (token) => token.replace(/\.([^.])([^.]*)$/, (_, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`);
export const withOtherClaims = (token, change) => {
  const [head, , signature] = token.split('.');
  return `${head}.${b64(JSON.stringify({ ...decoded(token, 1), ...change }))}.${signature}`;
};

// A value signed as Better Auth signs cookies.
export const seal = (value, secret) => encodeURIComponent(`${value}.${crypto.createHmac('sha256', secret).update(value).digest('base64')}`);

// A few characters by which people can compare two secrets without seeing them.
export const fingerprint = (secret) => crypto.createHash('sha256').update(`todo-verify:${secret}`).digest('hex').slice(0, 8);
