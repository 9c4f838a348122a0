// What later versions of Node have by themselves, for version 18, which Debian 12 has. To be imported
// before anything else: Better Auth's server, and jose in the tests, take the Web Crypto API from the
// global scope.
import { webcrypto } from 'node:crypto';
import net from 'node:net';

globalThis.crypto ??= webcrypto;
// "localhost" may have two addresses and a server at one of them: the others are tried too.
net.setDefaultAutoSelectFamily?.(true);
