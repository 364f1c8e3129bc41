/** Where artifacts end up. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ArtifactSaver } from "../../../src/cli/artifact-saver.ts";
import { ExecutionClient, type Artifact } from "../../../src/client/index.ts";
import { FakeServer } from "../client/fake-server.ts";

let folder: string;
let server: FakeServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "artifacts-"));
  server = await FakeServer.start();
  server.on("GET", /\/artifacts\//, (_request, response) => void response.writeHead(200, { "content-length": "5" }).end("bytes"));
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function artifact(fileName: string): Artifact {
  return { name: "a", type: "image", mime_type: "image/png", original_name: "a.png", file_name: fileName, preview: "", download_url: "" };
}

function saver(sharedFolder: string | null, outputDirectory: string): ArtifactSaver {
  return new ArtifactSaver({ session: new ExecutionClient({ url: server.url }).session("s"), sharedFolder, outputDirectory });
}

test("a file that lies where it should is left there", async () => {
  writeFileSync(join(folder, "a.png"), "here");
  expect(await saver(folder, folder).save(artifact("a.png"))).toBe(join(folder, "a.png"));
  expect(server.requests).toHaveLength(0);
});

test("a file of the shared folder is moved to the output directory", async () => {
  mkdirSync(join(folder, "session/plots"), { recursive: true });
  writeFileSync(join(folder, "session/plots/a.png"), "here");
  const path = await saver(join(folder, "session"), join(folder, "out")).save(artifact("plots/a.png"));
  expect(path).toBe(join(folder, "out/a.png"));
  expect(readFileSync(path, "utf8")).toBe("here");
  expect(existsSync(join(folder, "session/plots/a.png"))).toBe(false);
});

test("what is not shared is downloaded, and overwrites nothing", async () => {
  const each = saver(null, folder);
  expect([await each.save(artifact("a.png")), await each.save(artifact("a.png"))]).toEqual([
    join(folder, "a.png"),
    join(folder, "a-1.png"),
  ]);
  expect(readFileSync(join(folder, "a-1.png"), "utf8")).toBe("bytes");
});

test.each(["../../evil.png", "/etc/evil.png", "a/../../../evil.png"])(
  "a server that says %s cannot choose a place outside",
  async (name) => {
    mkdirSync(join(folder, "out"));
    writeFileSync(join(folder, "evil.png"), "not to be moved");
    await expect(saver(join(folder, "out"), join(folder, "out")).save(artifact(name))).rejects.toMatchObject({ code: "invalid_option" });
    expect(readdirSync(join(folder, "out"))).toEqual([]);
    expect(readFileSync(join(folder, "evil.png"), "utf8")).toBe("not to be moved");
  },
);

test("a download that fails leaves no half of a file", async () => {
  server.on("GET", /\/artifacts\//, (_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.destroy());
  });
  await expect(saver(null, folder).save(artifact("a.png"))).rejects.toThrow();
  expect(readdirSync(folder)).toEqual([]);
});
