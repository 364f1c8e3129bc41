/** `taskweaver init DIR`: writes a project with a configuration and a sample plugin. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { CONFIG_FILE_NAME } from "../../config.ts";
import { messageOf, UsageError } from "../../errors.ts";
import { EXIT, type Terminal } from "../terminal.ts";

/** Writes the project; never over a file that is there. */
export async function initCommand(directory: string, terminal: Terminal): Promise<number> {
  const root = resolve(terminal.cwd, directory);
  const taken = Object.keys(PROJECT_FILES).find((name) => existsSync(join(root, name)));
  if (taken !== undefined) throw new UsageError(`${join(root, taken)} is there already: name another folder, or move it away.`);
  try {
    for (const [name, content] of Object.entries(PROJECT_FILES)) {
      const path = join(root, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { flag: "wx" });
      terminal.stdout.write(`${path}\n`);
    }
  } catch (error) {
    throw new UsageError(`The project cannot be written: ${messageOf(error)}.`, { cause: error });
  }
  terminal.stdout.write(
    `\nStart with: taskweaver -p ${relative(terminal.cwd, root) || "."}\nand call the sample plugin: moving_average([1, 2, 6, 3])\n`,
  );
  return EXIT.ok;
}

const CONFIGURATION = `{
  "execution.server.auto_start": true,
  "execution.server.container": false,
  "execution.server.work_dir": "workspace"
}
`;

const PLUGIN_DESCRIPTION = `name: moving_average
enabled: true
required: false
description: >-
  Smooths a series of numbers: each value becomes the mean of itself and the values before it.

parameters:
  - name: values
    type: list
    required: true
    description: The numbers, oldest first.
  - name: window
    type: int
    required: false
    description: How many values each mean takes; the configuration's by default.

returns:
  - name: means
    type: list
    description: As many numbers as were given.

configurations:
  window: 3
`;

const PLUGIN_CODE = `"""A sample plugin: copy it, and change what it does."""

from taskweaver.plugin import Plugin, register_plugin, test_plugin


@register_plugin
class MovingAverage(Plugin):
    def __call__(self, values, window=None):
        window = int(window or self.config.get("window", 3))
        self.log("info", f"smoothing {len(values)} values over {window}")
        means = []
        for end in range(1, len(values) + 1):
            part = values[max(0, end - window) : end]
            means.append(sum(part) / len(part))
        return means


@test_plugin(name="means of two", description="each mean takes the value and the one before it")
def check(plugin):
    assert plugin([1, 2, 6], window=2) == [1, 1.5, 4]
`;

const PROJECT_FILES: Record<string, string> = {
  [CONFIG_FILE_NAME]: CONFIGURATION,
  "plugins/moving_average.yaml": PLUGIN_DESCRIPTION,
  "plugins/moving_average.py": PLUGIN_CODE,
  ".gitignore": "workspace/\n",
};
