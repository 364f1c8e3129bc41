/** What deploy/swarm/stack.yml says, held to what its page promises; that an engine takes it is tried with a real Swarm. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { environmentName, SETTING_NAMES } from "../../../src/config.ts";
import { PACKAGE_ROOT } from "../../../src/paths.ts";

interface Service {
  environment: Record<string, string>;
  networks: string[] | Record<string, unknown>;
  stop_grace_period: string;
  read_only: boolean;
  cap_drop: string[];
  deploy: { placement?: { constraints: string[] }; update_config: { order: string } };
}

const stack = parse(readFileSync(join(PACKAGE_ROOT, "deploy/swarm/stack.yml"), "utf8"), { merge: true }) as {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean } | null>;
};

describe.each(Object.entries(stack.services))("the service %s", (name, service) => {
  test("names settings that exist", () => {
    const known = new Set(SETTING_NAMES.flatMap((setting) => [environmentName(setting), `${environmentName(setting)}_FILE`]));
    const named = Object.keys(service.environment).filter((each) => each.startsWith("TASKWEAVER_"));
    expect(named.filter((each) => !known.has(each))).toEqual([]);
  });

  test("has longer to end than it takes", () => {
    const seconds = (setting: string) => Number(service.environment[`TASKWEAVER_SERVER_${setting}`] ?? 0);
    const [, count, unit] = /^(\d+)([ms])$/.exec(service.stop_grace_period)!;
    expect(Number(count) * (unit === "m" ? 60 : 1)).toBeGreaterThan(seconds("DRAIN_TIMEOUT") + seconds("SHUTDOWN_GRACE"));
  });

  test("is on a read-only root, without capabilities", () => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  });

  test("has a way out only where no code runs", () => {
    const networks = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks);
    const open = networks.filter((each) => stack.networks[each]?.internal !== true);
    expect(open).toEqual(name === "gateway" ? ["clients"] : []);
  });
});

test("a node has one kind of executor: that with a GPU where it is marked", () => {
  const constraintsOf = (name: string) => stack.services[name]!.deploy.placement!.constraints;
  expect(constraintsOf("executor")).toEqual(["node.labels.gpu != true"]);
  expect(constraintsOf("executor-gpu")).toEqual(["node.labels.gpu == true"]);
  expect(stack.services["executor-gpu"]!.environment).toMatchObject({
    ...stack.services["executor"]!.environment,
    TASKWEAVER_SERVER_LABELS: "gpu",
  });
});
