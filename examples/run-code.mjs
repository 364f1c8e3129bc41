// The SDK: variables live from call to call, output comes as it is written, an error is data.
import assert from "node:assert/strict";
import { ExecutionClient } from "taskweaver-executor/client";

const client = new ExecutionClient({ url: process.env.TASKWEAVER_URL, apiKey: process.env.TASKWEAVER_API_KEY });
const session = await client.start();
try {
  await session.executeCode("import math\nradius = 2");

  const area = await session.executeCode("round(math.pi * radius ** 2, 3)");
  console.log("area:", area.output);
  assert.equal(area.output, 12.566);

  let text = "";
  const loop = await session.executeCode("for i in range(3): print(i)", { onStdout: (chunk) => (text += chunk) });
  process.stdout.write(text);
  assert.equal(text, "0\n1\n2\n");
  assert.equal(loop.reason, "completed");

  const failed = await session.executeCode("radius / 0");
  console.log("failed as it should:", failed.error.trim().split("\n").at(-1));
  assert.equal(failed.is_success, false);
  assert.match(failed.error, /ZeroDivisionError/);
} finally {
  await session.stop();
}
