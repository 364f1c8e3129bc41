/** The files of deploy/kubernetes: rendered by Kubernetes' own tool, checked against its own schemas, and held to what their page promises. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { environmentName, SETTING_NAMES } from "../../src/config.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";

const run = promisify(execFile);

/** Both are in the Python environment of the tests. */
const KUBECTL = join(dirname(testPython()), "kubectl");
const VALIDATE = join(dirname(testPython()), "kubernetes-validate");
const missing = existsSync(KUBECTL) && existsSync(VALIDATE) ? undefined : "the tests' Python has no kubectl and no kubernetes-validate";

const FILES = join(PACKAGE_ROOT, "deploy/kubernetes");
const KUSTOMIZATIONS = ["base", "overlays/gpu", "overlays/autoscaling"];
/** The oldest that the page names, and the newest whose schemas are there. */
const VERSIONS = ["1.29.0", "1.37.0"];

describe("the Kubernetes files", () => {
  let folder: string;

  beforeEach(({ skip }) => skip(missing !== undefined, missing));
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "taskweaver-kubernetes-"))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  describe.each(KUSTOMIZATIONS)("of %s", (name) => {
    let text: string;
    let objects: KubernetesObject[];

    beforeAll(async () => {
      if (missing !== undefined) return;
      text = await render(join(FILES, name));
      objects = parse(text);
    });

    it.each(VERSIONS)("are what Kubernetes %s takes, to the last field", async (version) => {
      expect(await validate(folder, text, version)).toEqual(
        objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`.toLowerCase()).sort(),
      );
    });

    it("run as nobody in particular, on a read-only root, without capabilities and without a token of the cluster", () => {
      for (const { spec } of pods(objects)) {
        expect(spec).toMatchObject({
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
        });
        for (const { securityContext } of spec.containers) {
          expect(securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
        }
      }
    });

    it("name settings that exist, and keys only as files of the one secret", () => {
      const known = new Set(SETTING_NAMES.flatMap((setting) => [environmentName(setting), `${environmentName(setting)}_FILE`]));
      for (const { spec } of pods(objects)) {
        for (const { env } of spec.containers) expect(env.filter((each) => !known.has(each.name))).toEqual([]);
        expect(spec.volumes.flatMap(({ secret }) => (secret === undefined ? [] : [secret.secretName]))).toEqual(["taskweaver-keys"]);
      }
      expect(objects.filter(({ kind }) => kind === "Secret")).toEqual([]);
    });

    it("give what drains longer than it takes", () => {
      for (const { spec } of pods(objects)) {
        const [{ env, lifecycle }] = spec.containers as [Container];
        const seconds = (setting: string) => Number(env.find((each) => each.name === `TASKWEAVER_SERVER_${setting}`)?.value ?? 0);
        const pause = Number(lifecycle?.preStop.exec.command[1] ?? 0);
        expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(pause + seconds("DRAIN_TIMEOUT") + seconds("SHUTDOWN_GRACE"));
      }
    });

    it("find their pods: every selector means some, and no two owners mean the same", () => {
      const templates = pods(objects);
      const matching = (selector: Labels) =>
        templates
          .filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value))
          .map(({ name: pod }) => pod);
      for (const { kind, spec } of objects) {
        if (["StatefulSet", "Deployment"].includes(kind)) expect(matching(spec!.selector.matchLabels)).toHaveLength(1);
        if (kind === "PodDisruptionBudget") expect(matching(spec!.selector.matchLabels)).not.toEqual([]);
        if (kind === "Service") expect(matching(spec!.selector as unknown as Labels)).not.toEqual([]);
      }
      const executors = templates.filter(({ name: pod }) => pod.startsWith("executor"));
      const headless = objects.find(({ kind, metadata }) => kind === "Service" && metadata.name === "executors");
      expect(headless?.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
      expect(matching(headless!.spec!.selector as unknown as Labels)).toEqual(executors.map(({ name: pod }) => pod));
    });

    it("let code out to nobody, and only gateways in to executors' sessions", () => {
      const policies = new Map(objects.filter(({ kind }) => kind === "NetworkPolicy").map(({ metadata, spec }) => [metadata.name, spec]));
      expect(policies.get("nothing")).toEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
      const component = { matchLabels: { "app.kubernetes.io/component": "executor" } };
      const ofExecutors = [...policies].filter(([, spec]) => JSON.stringify(spec?.podSelector) === JSON.stringify(component));
      expect(ofExecutors.flatMap(([, spec]) => spec?.egress ?? [])).toEqual([]);
      expect(policies.get("executors")!.ingress).toEqual([
        { from: [{ podSelector: { matchLabels: { "app.kubernetes.io/component": "gateway" } } }], ports: [{ port: "http" }] },
      ]);
    });
  });

  it("put executors with a GPU beside the others, with the label that sessions ask for", async () => {
    const sets = pods(parse(await render(join(FILES, "overlays/gpu")))).filter(({ name }) => name.startsWith("executor"));
    expect(sets.map(({ name }) => name)).toEqual(["executor", "executor-gpu"]);
    const [, gpu] = sets;
    expect(gpu!.spec.containers[0]).toMatchObject({
      env: expect.arrayContaining([{ name: "TASKWEAVER_SERVER_LABELS", value: "gpu" }]),
      resources: { limits: { "nvidia.com/gpu": "1" } },
    });
  });

  it("leave the number of executors to the autoscaler, which looks at a figure that executors have", async () => {
    const objects = parse(await render(join(FILES, "overlays/autoscaling")));
    const set = objects.find(({ kind }) => kind === "StatefulSet");
    expect(set!.spec).not.toHaveProperty("replicas");
    const autoscaler = objects.find(({ kind }) => kind === "HorizontalPodAutoscaler")!;
    expect(autoscaler.spec).toMatchObject({ scaleTargetRef: { kind: "StatefulSet", name: set!.metadata.name } });
    const metrics = await readFile(join(PACKAGE_ROOT, "src/http/metrics.ts"), "utf8");
    for (const name of JSON.stringify(autoscaler.spec).match(/taskweaver_\w+/g)!) expect(metrics).toContain(`"${name}"`);
  });

  it("would be refused with a word that Kubernetes does not know", async () => {
    await cp(FILES, join(folder, "wrong"), { recursive: true });
    const path = join(folder, "wrong/base/gateways.yaml");
    await writeFile(path, (await readFile(path, "utf8")).replace("terminationGracePeriodSeconds", "terminationGraceSeconds"));
    await expect(validate(folder, await render(join(folder, "wrong/base")), "1.37.0")).rejects.toMatchObject({
      stdout: expect.stringContaining("terminationGraceSeconds"),
    });
  });
});

type Labels = Record<string, string>;

interface KubernetesObject {
  kind: string;
  metadata: { name: string };
  spec?: {
    selector: { matchLabels: Labels };
    template: { metadata: { labels: Labels }; spec: PodSpec };
    podSelector?: unknown;
    ingress?: unknown[];
    egress?: unknown[];
  };
}

interface PodSpec {
  terminationGracePeriodSeconds: number;
  containers: Container[];
  volumes: { secret?: { secretName: string } }[];
}

interface Container {
  env: { name: string; value: string }[];
  lifecycle?: { preStop: { exec: { command: string[] } } };
  securityContext: unknown;
}

async function render(kustomization: string): Promise<string> {
  return (await run(KUBECTL, ["kustomize", kustomization])).stdout;
}

function parse(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

/** What is run, by the name of its owner. */
function pods(objects: KubernetesObject[]): { name: string; labels: Labels; spec: PodSpec }[] {
  return objects
    .filter(({ kind }) => ["StatefulSet", "Deployment"].includes(kind))
    .map(({ metadata, spec }) => ({ name: metadata.name, labels: spec!.template.metadata.labels, spec: spec!.template.spec }))
    .toSorted((one, other) => one.name.localeCompare(other.name));
}

/** @returns the objects that passed. */
async function validate(folder: string, text: string, version: string): Promise<string[]> {
  const path = join(folder, `rendered-${version}.yaml`);
  await writeFile(path, text);
  const { stdout } = await run(VALIDATE, ["--strict", "--kubernetes-version", version, path]);
  return [...stdout.matchAll(/passed for resource (\S+)/g)].map(([, name]) => name!).sort();
}
