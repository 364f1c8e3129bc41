/** Is this Node.js new enough. */
import type { Check } from "./check.ts";

/** As in `engines` of `package.json`; a test compares. */
export const OLDEST_NODE = "20.19";

export const checkNode: Check = async (_settings, { nodeVersion }) => {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split(".").map(Number);
  const isNewEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  if (isNewEnough) return { name: "Node.js", status: "ok", detail: nodeVersion };
  const remedy = `Install Node.js ${OLDEST_NODE} or newer: https://nodejs.org/en/download`;
  return { name: "Node.js", status: "problem", detail: `${nodeVersion} is too old`, remedy };
};
