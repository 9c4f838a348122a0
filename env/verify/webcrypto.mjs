// Better Auth's server takes the Web Crypto API from the global scope, where Node has it from version 19
// on. To be imported before it.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
