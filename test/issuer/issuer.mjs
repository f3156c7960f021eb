// An OpenID Connect issuer made of the npm package oidc-provider. It obeys lines
// on its standard input (start, stop, rotate, exit) and answers each with one
// line of JSON. Its login page believes any name; alice is an administrator.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';
import { exportJWK, generateKeyPair } from 'jose';

console.info = console.error; // standard output is for answers
const portal = process.env.COCO_PORTAL; // the portal's redirect URI
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
let keys, generation = 0, server, port = 0, handler;

// Keys of a new generation: nothing of the old ones is published any more.
async function rotate() {
  generation += 1;
  keys = await Promise.all(algorithms.map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { ...await exportJWK(privateKey), alg, use: 'sig', kid: `${alg}-${generation}` };
  }));
}

const roles = (id) => (id === 'alice' || id === 'admin-service' ? ['Administrator'] : ['Reader']);

// A resource https://coco.example/ALG gives tokens for the audience "coco",
// signed by that algorithm; any other resource is somebody else's.
function resource(_, indicator) {
  const url = new URL(indicator);
  const ours = url.hostname === 'coco.example';
  return {
    scope: 'read',
    audience: ours ? 'coco' : 'somebody-else',
    accessTokenFormat: 'jwt',
    accessTokenTTL: 600,
    jwt: { sign: { alg: ours ? url.pathname.slice(1) : 'RS256' } },
  };
}

function provider() {
  const p = new Provider(`http://127.0.0.1:${port}`, {
    jwks: { keys },
    cookies: { keys: ['one secret of a test'] },
    clients: [
      { client_id: 'portal', client_secret: 'the portal&s secret', redirect_uris: [portal], grant_types: ['authorization_code'], id_token_signed_response_alg: 'ES256' },
      { client_id: 'public', token_endpoint_auth_method: 'none', redirect_uris: [portal], grant_types: ['authorization_code'], id_token_signed_response_alg: 'EdDSA' },
      ...['service', 'admin-service'].map((client_id) => ({ client_id, client_secret: 'secret', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] })),
    ],
    claims: { openid: ['sub', 'oid', 'roles'], profile: ['name', 'given_name', 'family_name'], email: ['email'] },
    scopes: ['openid', 'profile', 'email'],
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, oid: `oid-${id}`, roles: roles(id), name: `${id} of oidc-provider`, given_name: id, family_name: 'of oidc-provider', email: `${id}@example.org` }),
    }),
    extraTokenClaims: (_, token) => ({ roles: roles(token.accountId ?? token.clientId) }),
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resource, defaultResource: () => undefined, useGrantedResource: () => true },
    },
  });
  p.on('server_error', (_, err) => console.error(err));
  handler = p.callback();
}

function start() {
  return new Promise((resolve, reject) => {
    server = createServer((q, s) => handler(q, s));
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => { port = server.address().port; resolve(); });
  });
}

function stop() {
  return new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
}

const say = (what) => console.log(JSON.stringify({ did: what, issuer: `http://127.0.0.1:${port}`, generation }));

await rotate();
await start();
provider();
say('start');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'exit') break;
  if (line === 'stop') await stop();
  if (line === 'start') await start();
  if (line === 'rotate') { await rotate(); provider(); }
  say(line);
}
process.exit(0);
