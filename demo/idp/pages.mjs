// The pages of the identity provider, in the look of the game. No script, no file from elsewhere.

const STYLE = `
  :root { color-scheme: dark; }
  * { box-sizing: border-box; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
    font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #f6ead9;
    background: radial-gradient(60rem 34rem at 62% 18%, #b0486055, transparent 70%),
      linear-gradient(#070c2a, #241a55 42%, #7a3565 72%, #d95c58 100%) fixed; }
  main { width: min(24rem, 100%); padding: 2.25rem 2rem 2rem; border-radius: 18px; background: #0c0d24e6;
    border: 1px solid #ffffff1c; box-shadow: 0 24px 70px #0009; }
  .lantern { width: 34px; height: 44px; margin: 0 auto .9rem; border-radius: 48% 48% 34% 34%;
    background: radial-gradient(circle at 50% 82%, #fff0b8, #ffab4d 42%, #b2431a); box-shadow: 0 0 44px 10px #ff8c3a66; }
  h1 { margin: 0; text-align: center; font-size: 1.5rem; font-weight: 500; letter-spacing: .22em; text-indent: .22em; }
  p { margin: .5rem 0 1.4rem; text-align: center; color: #d7c6d0; }
  label { display: block; margin: 0 0 1rem; font-size: .875rem; color: #e3d3d8; }
  input { display: block; width: 100%; margin-top: .35rem; padding: .7rem .85rem; font: inherit; color: #fff8ec;
    background: #05061a; border: 1px solid #ffffff2e; border-radius: 10px; }
  button { width: 100%; padding: .8rem; font: inherit; font-weight: 600; border-radius: 10px; border: 0; cursor: pointer;
    color: #2a0f05; background: linear-gradient(#ffb765, #ff8f3d); }
  button:hover { filter: brightness(1.07); }
  button.quiet { margin-top: .7rem; color: #e3d3d8; background: none; border: 1px solid #ffffff2e; }
  :is(input, button):focus-visible { outline: 3px solid #ffd08a; outline-offset: 2px; }
  .fault { margin: 0 0 1rem; padding: .6rem .8rem; border-radius: 10px; background: #7a1f2a; color: #ffe9e4; text-align: left; }
  ul { margin: 0 0 1.4rem; padding: 0; list-style: none; }
  li { padding: .55rem 0; border-bottom: 1px solid #ffffff17; }
  small { display: block; margin-top: 1.2rem; text-align: center; color: #b6a5b6; }
`;

export function loginPage(uid, name = '', fault = null) {
  return page(
    'Sign in',
    `<p>Sign in to take your flights with you.</p>
    ${fault ? `<p class="fault" role="alert">${text(fault)}</p>` : ''}
    <form method="post" action="/interaction/${text(uid)}/login" autocomplete="off">
      <label>Name<input name="login" value="${text(name)}" maxlength="40" required autofocus></label>
      <label>Password<input name="password" type="password" required></label>
      <button type="submit">Sign in</button>
    </form>
    ${abortForm(uid, 'Cancel')}
    <small>A demonstration: any name and any password will do.</small>`,
  );
}

export function consentPage(uid, name) {
  return page(
    'Allow',
    `<p>Hello, ${text(name)}. The Emberfall launcher asks to</p>
    <ul><li>know your name and your picture</li><li>keep you signed in on this computer</li></ul>
    <form method="post" action="/interaction/${text(uid)}/consent"><button type="submit" autofocus>Allow</button></form>
    ${abortForm(uid, 'Do not allow')}`,
  );
}

/** Where the code of another device is typed in; the form is the provider's own. */
export function codePage(form, fault = null) {
  return page(
    'Code',
    `<p>Type in the code that the launcher shows.</p>
    ${fault ? `<p class="fault" role="alert">${text(fault)}</p>` : ''}
    ${form}<button type="submit" form="op.deviceInputForm">Continue</button>`,
  );
}

export function codeConfirmPage(form, client, code) {
  return page(
    'Code',
    `<p>Is this the code that <b>${text(client ?? 'the launcher')}</b> shows you? If you did not begin a sign-in, do not go on.</p>
    <p><b>${text(code)}</b></p>
    ${form}<button type="submit" form="op.deviceConfirmForm" autofocus>Continue</button>
    <button class="quiet" type="submit" form="op.deviceConfirmForm" name="abort" value="yes">Do not allow</button>`,
  );
}

export function codeDonePage() {
  return page('Done', '<p role="status">You are signed in. Go back to the launcher; this page can be closed.</p>');
}

export function errorPage(message) {
  return page('Sign in', `<p role="alert">${text(message)}</p><small>You can close this page and try again in the launcher.</small>`);
}

/** A round picture with the first letter of a name; its colours come from the name. */
export function portrait(name) {
  let mixed = 7;
  for (const letter of name) mixed = (mixed * 31 + letter.codePointAt(0)) >>> 0;
  const hue = mixed % 360;
  const letter = [...name.trim()][0]?.toUpperCase() ?? '?';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><defs><linearGradient id="g" x2="0" y2="1"><stop stop-color="hsl(${hue} 45% 30%)"/><stop offset="1" stop-color="hsl(${(hue + 40) % 360} 70% 52%)"/></linearGradient></defs><rect width="96" height="96" rx="48" fill="url(#g)"/><text x="48" y="63" font-family="sans-serif" font-size="44" fill="#fff" text-anchor="middle">${text(letter)}</text></svg>`;
}

function abortForm(uid, label) {
  return `<form method="post" action="/interaction/${text(uid)}/abort"><button class="quiet" type="submit" name="abort" value="yes">${label}</button></form>`;
}

function page(title, body) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; form-action *">
<title>${title} · Emberfall</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><main><div class="lantern" aria-hidden="true"></div><h1>EMBERFALL</h1>${body}</main></body></html>`;
}

function text(value) {
  const names = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(value).replace(/[&<>"']/g, (sign) => names[sign]);
}
