/** `npm run build`: compiles `src/` and the web console to `dist/`. */
import { ensureBuild, ensureDependencies, main } from "./steps.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
});
