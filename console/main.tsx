/** Where the page begins. */
import { render } from "preact";
import { App } from "./app.tsx";
import { ServerLink } from "./server/link.ts";
import { applyTheme } from "./ui/theme.ts";

applyTheme();
const root = document.querySelector("#app");
// The API lies beside the page, also where a proxy puts both below a path.
const link = new ServerLink(new URL(".", location.href.replace(/[?#].*$/, "")).href, sessionStorage);
if (root !== null) render(<App link={link} />, root);
