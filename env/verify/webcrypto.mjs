// Better Auth's server, and jose in the tests, take the Web Crypto API from the global scope, where Node
// has it from version 19 on. To be imported before them.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
