/** What counts as a container: what the kernel says, and what engines leave, but no variable and no file by itself. */
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { endsWithContainer, IMAGE_MARK, whyInsideContainer, type MachineFiles } from "../../../src/http/inside-container.ts";
import { PACKAGE_ROOT } from "../../../src/paths.ts";

const MACHINE = { pid: 4_026_531_836, ipc: 4_026_531_839, uts: 4_026_531_838, cgroup: 4_026_531_835 };
const OWN = { pid: 4_026_532_201, ipc: 4_026_532_200, uts: 4_026_532_199 };
const ID = "0123456789abcdef".repeat(4);

/** A machine with these files, and processes in these namespaces. */
function machine(files: Record<string, string>, namespaces: Record<string, number> = MACHINE): MachineFiles {
  return {
    exists: async (path) => path in files,
    read: async (path) => files[path] ?? "",
    link: async (path) => {
      const name = path.replace("/proc/self/ns/", "");
      return namespaces[name] === undefined ? "" : `${name}:[${namespaces[name]}]`;
    },
  };
}

const why = (files: Record<string, string>, namespaces?: Record<string, number>, platform: NodeJS.Platform = "linux") =>
  whyInsideContainer(machine(files, namespaces), platform);

describe("a container", () => {
  test("is what runs from our image, whatever is below it", async () => {
    expect(await why({ [join(PACKAGE_ROOT, IMAGE_MARK)]: "" })).toBe("this is the image of Dockerfile.executor");
    expect(await why({ [join(PACKAGE_ROOT, IMAGE_MARK)]: "" }, {}, "darwin")).toBeDefined();
  });

  test.each(["/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/run/host/container-manager"])(
    "is a process in namespaces of its own beside %s",
    async (file) => {
      expect(await why({ [file]: "" }, { ...MACHINE, ...OWN })).toBe(
        `there is ${file}, and its namespaces (pid, ipc, uts) are not the machine's`,
      );
      expect(await why({ [file]: "" }, { ...MACHINE, cgroup: 4_026_532_777 })).toContain("(cgroup)");
    },
  );

  test("is a process in namespaces of its own over whose files an engine has mounted others", async () => {
    const mountinfo = "22 27 0:21 / /proc rw - proc proc rw\n640 27 254:1 /pods/1/etc-hosts /etc/hosts rw,relatime - ext4 /dev/vda rw";
    expect(await why({ "/proc/self/mountinfo": mountinfo }, { ...MACHINE, ...OWN })).toMatch(/^\/etc\/hosts is mounted/);
  });

  test.each([
    `12:memory:/docker/${ID}`,
    `0::/system.slice/docker-${ID}.scope`,
    `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`,
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-${ID}.scope`,
    `3:cpu:/kubepods/burstable/pod1/${ID}`,
    "4:cpu:/lxc/web/init.scope",
    "0::/lxc.payload.web/system.slice",
  ])("is a process in the control group %s, in whatever namespaces", async (group) => {
    expect(await why({ "/proc/self/cgroup": `1:name=systemd:/\n${group}\n` })).toBe("its control group is a container's");
  });
});

describe("no container", () => {
  test("is a machine whose disk was made from an image", async () => {
    expect(await why({ "/.dockerenv": "", "/proc/self/cgroup": "0::/\n" })).toBeUndefined();
  });

  test.each(["0::/system.slice/docker.service", "0::/user.slice/user-0.slice/session-4.scope", "0::/system.slice/containerd.service"])(
    "is a process in the control group %s",
    async (group) => {
      expect(await why({ "/.dockerenv": "", "/proc/self/cgroup": `${group}\n` })).toBeUndefined();
    },
  );

  test("is a process in namespaces of its own that no engine made", async () => {
    expect(await why({ "/proc/self/mountinfo": "22 27 0:21 / /proc rw - proc proc rw" }, { ...MACHINE, ...OWN })).toBeUndefined();
  });

  test("is a process on another system, or one that may not look", async () => {
    expect(await why({ "/.dockerenv": "" }, {}, "darwin")).toBeUndefined();
    expect(await why({ "/.dockerenv": "" }, {})).toBeUndefined();
  });
});

test("a folder ends with the container where it would have to be made in the temporary one", () => {
  const temporary = mkdtempSync(join(tmpdir(), "inside-"));
  try {
    mkdirSync(join(temporary, "mounted"));
    expect(endsWithContainer(temporary, temporary)).toBe(true);
    expect(endsWithContainer(join(temporary, "of-the-client/project"), temporary)).toBe(true);
    expect(endsWithContainer(join(temporary, "mounted"), temporary)).toBe(false);
    expect(endsWithContainer(`${temporary}-beside`, temporary)).toBe(false);
    expect(endsWithContainer("/app/workspace/new", temporary)).toBe(false);
  } finally {
    rmSync(temporary, { recursive: true });
  }
});
