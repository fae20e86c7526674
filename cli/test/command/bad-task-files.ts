import { describe, it } from "node:test";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

const GOOD = `name: hello
public: true
template: batch
command: echo hello
resources: { cpu: 1, memory: 64Mi, storage: 64Mi, duration: 1m }
`;

/** What is wrong with a task file is said before anything else happens. */
export function badTaskFiles(get: () => MarketFixture): void {
  const cases: readonly {
    what: string;
    text: string;
    code:
      | "TASK_FILE_INVALID"
      | "SECRET_IN_PUBLIC_SPEC"
      | "ENV_MISSING"
      | "ENV_RESERVED"
      | "INPUT_MISSING"
      | "IMAGE_INVALID";
    message: RegExp;
  }[] = [
    {
      what: "a size in a unit that does not exist",
      text: GOOD.replace("memory: 64Mi", "memory: 64GB"),
      code: "TASK_FILE_INVALID",
      message: /^task\.yaml:5: resources\.memory: got "64GB", expected memory such as 64Gi$/,
    },
    {
      what: "a field that does not exist",
      text: `${GOOD}buget: 5\n`,
      code: "TASK_FILE_INVALID",
      message: /^task\.yaml:6: buget: got 5, expected no such field$/,
    },
    {
      what: "two mistakes at once",
      text: GOOD.replace("hello\n", "Hello!\n").replace("cpu: 1", "cpu: none"),
      code: "TASK_FILE_INVALID",
      message:
        /^task\.yaml:1: name: got "Hello!", expected .*\ntask\.yaml:5: resources\.cpu: got "none", expected/,
    },
    {
      what: "no YAML",
      text: "name: [hello\n",
      code: "TASK_FILE_INVALID",
      message: /^task\.yaml:2: \(YAML\): got .*, expected valid YAML$/,
    },
    {
      what: "a bare variable name, which would be a secret, in a public task",
      text: `${GOOD}env: [TOKEN]\n`,
      code: "SECRET_IN_PUBLIC_SPEC",
      message: /^task\.yaml:6: env\.TOKEN: got a bare name, expected NAME=value/,
    },
    {
      what: "a bare variable name that is not set",
      text: `${GOOD.replace("public: true\n", "")}env: [TOKEN_THAT_NOBODY_SETS]\n`,
      code: "ENV_MISSING",
      message: /^env\.TOKEN_THAT_NOBODY_SETS: got a bare name, expected TOKEN_THAT_NOBODY_SETS to be set/,
    },
    {
      what: "a variable that Dekuper sets",
      text: `${GOOD}env: { NODE_RANK: 0 }\n`,
      code: "ENV_RESERVED",
      message: /^task\.yaml:6: env\.NODE_RANK: Dekuper sets this variable itself/,
    },
    {
      what: "an input that is not there",
      text: `${GOOD}inputs: [{ from: data.csv }]\n`,
      code: "INPUT_MISSING",
      message: /data\.csv/,
    },
    {
      what: "an image that the network does not know",
      text: `${GOOD}image: pytorch\n`,
      code: "IMAGE_INVALID",
      message: /pytorch/,
    },
  ];

  describe("a task file with", () => {
    for (const { what, text, code, message } of cases) {
      it(`${what} is ${code}`, async () => {
        const path = await get().write("task.yaml", text);
        await expectError(get(), ["task", "plan", path], { code, message });
      });
    }

    it("no word about being public is private, and not for the open path", async () => {
      const path = await get().write("task.yaml", GOOD.replace("public: true\n", ""));
      for (const flag of ["--open", "--fallback-open"])
        await expectError(get(), ["task", "plan", path, flag], {
          code: "PRIVATE_NEEDS_QUOTES",
          message: /^The open path takes public tasks only; hello is private/,
        });
    });

    it("nothing there is TASK_FILE_MISSING, also without a network", async () => {
      await expectError(
        get(),
        ["task", "submit", "nothing.yaml"],
        { code: "TASK_FILE_MISSING", message: /There is no task file nothing\.yaml/ },
        { env: { DEKUPER_NETWORK: "/nonexistent.json" } },
      );
    });
  });
}
