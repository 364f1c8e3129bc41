// A file goes in, the code works on it, a file comes out.
import assert from "node:assert/strict";
import { ExecutionClient } from "taskweaver-executor/client";

const client = new ExecutionClient({ url: process.env.TASKWEAVER_URL, apiKey: process.env.TASKWEAVER_API_KEY });
const session = await client.start();
try {
  await session.uploadFile("data/sales.csv", "month,amount\njan,10\nfeb,32\n");
  const result = await session.executeCode(`
sales = pd.read_csv("data/sales.csv")
sales["total"] = sales["amount"].cumsum()
sales.to_csv("totals.csv", index=False)
int(sales["total"].iloc[-1])
`);
  assert.equal(result.output, 42);

  const files = await session.listFiles();
  assert.ok(files.some((file) => file.path === "totals.csv"));
  const totals = await (await session.downloadArtifact("totals.csv")).text();
  console.log(totals);
  assert.equal(totals, "month,amount,total\njan,10,10\nfeb,32,42\n");
} finally {
  await session.stop();
}
