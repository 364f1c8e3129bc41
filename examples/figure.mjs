// A matplotlib figure comes back as an artifact: in the result, and as a file to download.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecutionClient } from "taskweaver-executor/client";

const client = new ExecutionClient({ url: process.env.TASKWEAVER_URL, apiKey: process.env.TASKWEAVER_API_KEY });
const session = await client.start();
try {
  const result = await session.executeCode(`
import numpy as np
x = np.linspace(0, 2 * np.pi, 200)
plt.plot(x, np.sin(x))
plt.title("sin")
plt.show()
`);
  const [figure] = result.artifact;
  assert.equal(figure.type, "image");
  assert.equal(figure.mime_type, "image/png");

  const png = Buffer.from(figure.file_content, "base64");
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  const downloaded = await (await session.downloadArtifact(figure.file_name)).bytes();
  assert.deepEqual(Buffer.from(downloaded), png);

  const file = join(tmpdir(), figure.file_name);
  await writeFile(file, png);
  console.log("figure:", file, `(${png.length} bytes)`);
} finally {
  await session.stop();
}
