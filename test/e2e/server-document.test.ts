/** The examples of the product's document, request by request, on a real server with real kernels. */
import { describe, expect, test } from "vitest";
import { allFrames } from "../helpers/event-stream.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const server = sharedByAll(() => startLiveServer());
const HEADERS = { "Content-Type": "application/json", "X-API-Key": "your-key" };

const DATA_FRAME = 'import pandas as pd\ndf = pd.DataFrame({"a": [1, 2, 3]})\ndf';

describe("the document's examples, in their order, with the key that they send", () => {
  test("create a session", async () => {
    const answer = await post("/sessions", '{"session_id": "my-session"}');
    expect([answer.status, answer.json]).toEqual([
      201,
      { session_id: "my-session", status: "created", cwd: `${server().workDir}/sessions/my-session/cwd` },
    ]);
  });

  test("execute code: a DataFrame", async () => {
    const answer = await post("/sessions/my-session/execute", JSON.stringify({ exec_id: "exec-001", code: DATA_FRAME }));
    expect([answer.status, answer.json]).toMatchObject([
      200,
      {
        execution_id: "exec-001",
        is_success: true,
        error: null,
        output: "   a\n0  1\n1  2\n2  3",
        stdout: [],
        stderr: [],
        log: [],
        artifact: [],
        variables: [["df", "   a\n0  1\n1  2\n2  3"]],
        reason: "completed",
        state_kept: true,
      },
    ]);
  });

  test("execute with streaming, and connect to the stream", async () => {
    const answer = await post(
      "/sessions/my-session/execute",
      '{"exec_id": "exec-002", "code": "for i in range(5): print(i)", "stream": true}',
    );
    expect([answer.status, answer.json]).toEqual([
      202,
      { execution_id: "exec-002", stream_url: "/api/v1/sessions/my-session/execute/exec-002/stream" },
    ]);
    const frames = await allFrames(
      await fetch(`${server().api}/sessions/my-session/execute/exec-002/stream`, { headers: { "X-API-Key": "your-key" } }),
    );
    const output = frames.filter((frame) => frame.event === "output").map((frame) => frame.data["text"]);
    expect(output.join("")).toBe("0\n1\n2\n3\n4\n");
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(["result", "done"]);
    expect(frames.map((frame) => frame.id)).toEqual(frames.map((_, index) => index + 1));
    expect(frames.at(-2)?.data).toMatchObject({ execution_id: "exec-002", is_success: true });
  });

  test("health check", async () => {
    const { status, json } = await server().call("GET", "/health");
    expect([status, json]).toEqual([200, { status: "healthy", version: expect.stringMatching(/^\d+\.\d+\.\d+/), active_sessions: 1 }]);
  });

  test("session info", async () => {
    const code =
      "from taskweaver.plugin import Plugin, register_plugin\n@register_plugin\nclass SqlPullData(Plugin):\n    def __call__(self):\n        return 1\n";
    await post("/sessions/my-session/plugins", JSON.stringify({ name: "sql_pull_data", code }));
    const { status, json } = await server().call("GET", "/sessions/my-session", undefined, { "X-API-Key": "your-key" });
    expect([status, json]).toMatchObject([
      200,
      {
        session_id: "my-session",
        status: "running",
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
        last_activity: expect.stringMatching(/Z$/),
        loaded_plugins: ["sql_pull_data"],
        execution_count: 2,
        cwd: `${server().workDir}/sessions/my-session/cwd`,
      },
    ]);
  });

  test("download an artifact", async () => {
    const code = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()";
    const { json } = await post("/sessions/my-session/execute", JSON.stringify({ exec_id: "exec-003", code }));
    const [artifact] = json["artifact"] as Record<string, string>[];
    expect(artifact).toMatchObject({
      name: "exec-003-display-1",
      type: "image",
      mime_type: "image/png",
      original_name: "exec-003-display-1_image.png",
      file_name: "exec-003-display-1_image.png",
      file_content_encoding: "base64",
      preview: expect.stringMatching(/^<Figure size \d+x\d+ with 1 Axes>$/),
      download_url: `${server().api}/sessions/my-session/artifacts/exec-003-display-1_image.png`,
    });
    const download = await fetch(artifact!["download_url"]!, { headers: { "X-API-Key": "your-key" } });
    const bytes = Buffer.from(await download.arrayBuffer());
    expect(download.headers.get("content-type")).toBe("image/png");
    expect(bytes.subarray(1, 4).toString()).toBe("PNG");
    expect(bytes.toString("base64")).toBe(artifact!["file_content"]);
  });

  test("stop and remove the session", async () => {
    const { status, json } = await server().call("DELETE", "/sessions/my-session", undefined, HEADERS);
    expect([status, json]).toEqual([200, { session_id: "my-session", status: "stopped" }]);
    expect((await server().call("GET", "/health")).json).toMatchObject({ active_sessions: 0 });
  });
});

async function post(path: string, body: string) {
  const response = await fetch(`${server().api}${path}`, { method: "POST", headers: HEADERS, body });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}
