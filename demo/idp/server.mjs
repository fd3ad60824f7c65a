// The demo's identity provider: OpenID Connect on loopback for anyone with a name and a password.
//
// It is the npm package `oidc-provider` with our own two pages. Everything is kept in memory and is
// gone with the process. It is for the demo and the tests: it believes every name.
//
//   node server.mjs [PORT] [--tell-tokens]      PORT 0 or none = any free one
//
// Prints one line of JSON once it serves: {"issuer":"http://127.0.0.1:…"}; with --tell-tokens also what it
// issues, so that a test can look for it where it must not be.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';
import { codeConfirmPage, codeDonePage, codePage, consentPage, errorPage, loginPage, portrait } from './pages.mjs';

const CLIENT = 'muster-launcher';
// RFC 8628: a code that is typed in on another device.
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const FORM_BYTES_MAX = 8 * 1024;
const NAME_LENGTH_MAX = 40;

const tellTokens = process.argv.includes('--tell-tokens');
const port = Number(process.argv.slice(2).find((word) => !word.startsWith('--')) ?? 0);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error('usage: node server.mjs [PORT]');
  process.exit(2);
}

const server = createServer();
server.on('error', (error) => {
  console.error(`identity provider: ${error.message}`);
  process.exit(1);
});
server.listen(port, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = makeProvider(issuer);
  const answer = provider.callback();
  server.on('request', (request, response) => {
    route(provider, issuer, request, response)
      .then((done) => done || answer(request, response))
      .catch((error) => fail(response, error));
  });
  console.log(JSON.stringify({ issuer }));
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => process.exit(0));
}

function makeProvider(issuer) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT,
        client_name: 'Emberfall Launcher',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
        response_types: ['code'],
        // RFC 8252 §7.3: the launcher listens on any port of the loopback address.
        redirect_uris: ['http://127.0.0.1/callback'],
      },
    ],
    jwks: { keys: [signingKey()] },
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'picture'] },
    // Claims of the profile travel in the ID token too: the launcher needs no second request.
    conformIdTokenClaims: false,
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: async (ctx, form, _out, error) => say(ctx, codePage(form, faultOfCode(error))),
        userCodeConfirmSource: async (ctx, form, client, _device, code) => say(ctx, codeConfirmPage(form, client.clientName, code)),
        successSource: async (ctx) => say(ctx, codeDonePage()),
      },
    },
    findAccount: (_, sub) => account(issuer, sub),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    rotateRefreshToken: true,
    issueRefreshToken: async (_, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    ttl: {
      AccessToken: 5 * 60,
      AuthorizationCode: 60,
      DeviceCode: 10 * 60,
      IdToken: 5 * 60,
      Grant: 24 * 60 * 60,
      Interaction: 10 * 60,
      RefreshToken: 24 * 60 * 60,
      Session: 60 * 60,
    },
    renderError: async (ctx, out) => {
      ctx.type = 'html';
      ctx.body = errorPage(out.error_description ?? out.error);
    },
  });
  if (tellTokens) provider.on('grant.success', (ctx) => console.log(JSON.stringify({ issued: ctx.body })));
  provider.on('server_error', (_, error) => console.error(`identity provider: ${error.stack}`));
  return provider;
}

function say(ctx, page) {
  ctx.type = 'html';
  ctx.body = page;
}

function faultOfCode(error) {
  if (!error) return null;
  if (error.name === 'AbortedError') return 'You did not agree. You can close this page.';
  return 'That code is not known, or too old. Please look at the launcher and try again.';
}

/** A key of this process alone: tokens of an earlier run are worth nothing. */
function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: randomBytes(8).toString('hex') };
}

function account(issuer, sub) {
  const picture = `${issuer}/portrait/${encodeURIComponent(sub)}.svg`;
  return {
    accountId: sub,
    claims: async () => ({ sub, name: sub, preferred_username: sub, picture }),
  };
}

/** Answers the pages that are ours; false = the provider's own. */
async function route(provider, issuer, request, response) {
  const { pathname } = new URL(request.url, issuer);
  const face = /^\/portrait\/([^/]+)\.svg$/.exec(pathname);
  if (face && request.method === 'GET') {
    send(response, 200, portrait(decodeURIComponent(face[1])), 'image/svg+xml');
    return true;
  }
  const step = /^\/interaction\/[\w-]+(?:\/(login|consent|abort))?$/.exec(pathname);
  if (!step) return false;
  if (request.method === 'GET' && !step[1]) await show(provider, request, response);
  else if (request.method === 'POST' && step[1]) await advance(provider, step[1], request, response);
  else send(response, 405, errorPage('This page does not take that method.'));
  return true;
}

async function show(provider, request, response) {
  const { uid, prompt, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') send(response, 200, loginPage(uid));
  else send(response, 200, consentPage(uid, session?.accountId ?? ''));
}

async function advance(provider, action, request, response) {
  const details = await provider.interactionDetails(request, response);
  const form = await readForm(request);
  if (action === 'abort') {
    const refused = { error: 'access_denied', error_description: 'The player did not agree.' };
    await provider.interactionFinished(request, response, refused, { mergeWithLastSubmission: false });
    return;
  }
  if (action === 'login' && details.prompt.name === 'login') {
    const name = (form.get('login') ?? '').trim();
    const fault = faultOf(name, form.get('password') ?? '');
    if (fault) {
      send(response, 422, loginPage(details.uid, name, fault));
      return;
    }
    const result = { login: { accountId: name } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    return;
  }
  if (action === 'consent' && details.prompt.name === 'consent') {
    const result = { consent: { grantId: await grant(provider, details) } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    return;
  }
  send(response, 409, errorPage('This step has already been taken. Please go back to the launcher and begin again.'));
}

function faultOf(name, password) {
  if (!name) return 'Please tell us your name.';
  if (name.length > NAME_LENGTH_MAX) return `A name has at most ${NAME_LENGTH_MAX} letters.`;
  if (!password) return 'Please type a password; any will do here.';
  return null;
}

async function grant(provider, { grantId, params, prompt, session }) {
  const found = grantId ? await provider.Grant.find(grantId) : undefined;
  const given = found ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) given.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) given.addOIDCClaims(prompt.details.missingOIDCClaims);
  return given.save();
}

async function readForm(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > FORM_BYTES_MAX) throw new errors.InvalidRequest('the form is too large');
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}

function fail(response, error) {
  const known = error instanceof errors.OIDCProviderError;
  if (!known) console.error(`identity provider: ${error.stack}`);
  if (response.headersSent) response.destroy();
  else send(response, known ? error.statusCode : 500, errorPage(known ? error.error_description : 'Something went wrong.'));
}

function send(response, status, body, type = 'text/html; charset=utf-8') {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  response.end(body);
}
