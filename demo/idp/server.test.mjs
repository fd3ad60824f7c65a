// The whole way of a native client: code with PKCE, login, consent, tokens, refresh, and what is refused.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REDIRECT = 'http://127.0.0.1:49321/callback';
let child;
let issuer;

before(async () => {
  child = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url)), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  issuer = JSON.parse(line).issuer;
});
after(() => child.kill());

/** A browser that keeps cookies and follows redirects up to the launcher's own address. */
class Browser {
  cookies = new Map();

  async go(url, form) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const body = form && new URLSearchParams(form);
    const answer = await fetch(new URL(url, issuer), { method: form ? 'POST' : 'GET', body, headers: { cookie }, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    const next = answer.headers.get('location');
    if (!next) return { status: answer.status, body: await answer.text() };
    if (next.startsWith(REDIRECT)) return { landed: new URL(next) };
    return this.go(next);
  }

  async press(page, action, form = {}) {
    const [, address] = new RegExp(`action="([^"]+/${action})"`).exec(page.body);
    return this.go(address, form);
  }
}

function authorization(extra = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    client_id: 'muster-launcher', response_type: 'code', redirect_uri: REDIRECT, scope: 'openid profile offline_access', prompt: 'consent',
    state: 'st', nonce: 'no', code_challenge: challenge, code_challenge_method: 'S256', ...extra,
  });
  return { verifier, url: `/auth?${query}` };
}

async function signIn(name = 'Ann') {
  const { verifier, url } = authorization();
  const browser = new Browser();
  const login = await browser.go(url);
  const consent = await browser.press(login, 'login', { login: name, password: 'x' });
  const { landed } = await browser.press(consent, 'consent');
  return { verifier, landed };
}

function token(form) {
  return fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams({ client_id: 'muster-launcher', ...form }) });
}

test('code, tokens, name, refresh with rotation', async () => {
  const { verifier, landed } = await signIn();
  assert.equal(landed.searchParams.get('state'), 'st');
  const answer = await token({ grant_type: 'authorization_code', code: landed.searchParams.get('code'), redirect_uri: REDIRECT, code_verifier: verifier });
  const tokens = await answer.json();
  assert.equal(answer.status, 200);
  const claims = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
  assert.deepEqual([claims.name, claims.nonce, claims.aud], ['Ann', 'no', 'muster-launcher']);
  const portrait = await fetch(claims.picture);
  assert.equal(portrait.headers.get('content-type'), 'image/svg+xml');
  const me = await fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  assert.equal((await me.json()).name, 'Ann');
  const second = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
  assert.equal(second.status, 200);
  assert.notEqual((await second.json()).refresh_token, tokens.refresh_token);
  const replayed = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
  assert.equal(replayed.status, 400);
});

test('a wrong verifier on a fresh code is refused', async () => {
  const { landed } = await signIn();
  const answer = await token({ grant_type: 'authorization_code', code: landed.searchParams.get('code'), redirect_uri: REDIRECT, code_verifier: randomBytes(32).toString('base64url') });
  assert.equal((await answer.json()).error, 'invalid_grant');
});

test('without PKCE, or with plain, or with a strange redirect nobody is sent anywhere', async () => {
  for (const extra of [{ code_challenge: '', code_challenge_method: '' }, { code_challenge_method: 'plain' }]) {
    const { landed } = await new Browser().go(authorization(extra).url);
    assert.equal(landed.searchParams.get('error'), 'invalid_request');
  }
  const strange = await new Browser().go(authorization({ redirect_uri: 'http://example.org/callback' }).url);
  assert.equal(strange.status, 400);
});

test('an empty name is asked again, a player who does not agree goes back with access_denied', async () => {
  const browser = new Browser();
  const login = await browser.go(authorization().url);
  const again = await browser.press(login, 'login', { login: ' ', password: 'x' });
  assert.equal(again.status, 422);
  const { landed } = await browser.press(again, 'abort');
  assert.equal(landed.searchParams.get('error'), 'access_denied');
});

test('a name is text, never markup', async () => {
  const browser = new Browser();
  const login = await browser.go(authorization().url);
  const consent = await browser.press(login, 'login', { login: '<b>Eve</b>', password: 'x' });
  assert.ok(consent.body.includes('&lt;b&gt;Eve') && !consent.body.includes('<b>Eve'));
});

/** Takes a code, and answers a question of the token endpoint about it. */
async function codeOfDevice() {
  const asked = await fetch(`${issuer}/device/auth`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'muster-launcher', scope: 'openid profile offline_access', prompt: 'consent' }),
  });
  const code = await asked.json();
  const ask = () => token({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code.device_code }).then((answer) => answer.json());
  return { code, ask };
}

function hidden(page, name) {
  return new RegExp(`name="${name}" value="([^"]+)"`).exec(page.body)[1];
}

/** Types a code in, up to the question whether it is the right one. */
async function type(browser, code) {
  const page = await browser.go('/device');
  return browser.go('/device', { xsrf: hidden(page, 'xsrf'), user_code: code });
}

test('a code for another device: pending, typed in, agreed to, tokens with a refresh token', async () => {
  const { code, ask } = await codeOfDevice();
  assert.match(code.user_code, /^[A-Z]{4}-[A-Z]{4}$/);
  assert.equal((await ask()).error, 'authorization_pending');
  const browser = new Browser();
  const confirm = await type(browser, code.user_code);
  assert.ok(confirm.body.includes(code.user_code), confirm.body);
  const login = await browser.go('/device', { xsrf: hidden(confirm, 'xsrf'), user_code: code.user_code, confirm: 'yes' });
  const consent = await browser.press(login, 'login', { login: 'Ann', password: 'x' });
  const done = await browser.press(consent, 'consent');
  assert.ok(done.body.includes('signed in'), done.body);
  const tokens = await ask();
  assert.ok(tokens.refresh_token && tokens.id_token, JSON.stringify(tokens));
  assert.equal((await ask()).error, 'invalid_grant', 'a code is good for one session');
});

test('a code that is refused, or that nobody gave out', async () => {
  const { code, ask } = await codeOfDevice();
  const browser = new Browser();
  const confirm = await type(browser, code.user_code);
  await browser.go('/device', { xsrf: hidden(confirm, 'xsrf'), user_code: code.user_code, confirm: 'yes', abort: 'yes' });
  assert.equal((await ask()).error, 'access_denied');
  const unknown = await type(new Browser(), 'AAAA-AAAA');
  assert.ok(unknown.body.includes('not known'), unknown.body);
});

test('SIGTERM ends it at once', async () => {
  const other = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url))], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(other.stdout, 'data');
  const start = Date.now();
  other.kill('SIGTERM');
  const [code] = await once(other, 'exit');
  assert.equal(code, 0);
  assert.ok(Date.now() - start < 1000);
});
