/** What the API page consists of beside Swagger UI. All addresses are relative, so that it works behind a proxy's path too. */

export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TaskWeaver Executor API</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/page.css">
</head>
<body>
<form id="key-form" hidden>
<label for="key">API key</label>
<input id="key" type="password" autocomplete="off" required>
<button type="submit">Show the API</button>
</form>
<p id="notice" role="alert"></p>
<div id="viewer"></div>
<noscript><p>Without scripts, read <a href="openapi.json">openapi.json</a>.</p></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
`;

/** The key is kept in the page's memory only. */
export const DOCS_SCRIPT = `"use strict";
const form = document.getElementById("key-form");
const notice = document.getElementById("notice");

async function show(key) {
  const keyHeader = key === "" ? {} : { "X-API-Key": key };
  const response = await fetch("openapi.json", { headers: keyHeader });
  if (response.status === 401) {
    form.hidden = false;
    notice.textContent = key === "" ? "This server asks for its API key." : "The server refuses this key.";
    return;
  }
  const specification = await response.json();
  if (!response.ok) {
    notice.textContent = specification.detail;
    return;
  }
  form.hidden = true;
  notice.textContent = "";
  const here = new URL(".", location.href);
  SwaggerUIBundle({
    dom_id: "#viewer",
    spec: { ...specification, servers: [{ url: here.href.replace(/\\/$/, "") }] },
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (new URL(request.url, here).origin === here.origin) request.headers = { ...keyHeader, ...request.headers };
      return request;
    },
  });
}

function tell(error) {
  notice.textContent = "The API's description could not be read: " + error.message;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(document.getElementById("key").value).catch(tell);
});
show("").catch(tell);
`;

export const DOCS_STYLE = `body { margin: 0; font-family: system-ui, sans-serif; }
form, #notice:not(:empty) { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
form { display: flex; gap: 0.5rem; align-items: center; }
form[hidden] { display: none; }
input { flex: 1; }
input, button { font: inherit; padding: 0.4rem 0.6rem; }
`;
