import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { connectBurner, launchBrowser, scrollsSideways, violations } from "./browser.ts";

export interface TaskPathOptions {
  /** Where the dApp is served, with a network file that holds a burner key. */
  readonly url: string;
  /** Shell script of the batch template; the default prints three steps and writes metrics.json. */
  readonly script?: string | undefined;
  /** Input files of the task, by name. */
  readonly inputs?: readonly InputFile[] | undefined;
  /** Longest wait for each state of the task, milliseconds [180000]. */
  readonly timeoutMs?: number | undefined;
  /** Folder for pictures on the way; none without. */
  readonly screenshots?: string | undefined;
  readonly onStep?: ((step: string) => void) | undefined;
}

export interface InputFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

export interface TaskPathResult {
  readonly taskId: string;
  /** Every state that the page showed, in order. */
  readonly states: readonly string[];
  readonly log: string;
  /** The downloaded files of /output, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Titles of the timeline. */
  readonly timeline: readonly string[];
  /** What axe-core finds on the task's page, on a phone in the dark. */
  readonly violations: readonly string[];
  readonly scrollsSideways: boolean;
  /** Uncaught errors of the page: none is right. */
  readonly pageErrors: readonly string[];
}

/** The whole path of a task in a real browser: connect, fund, order, logs, output, approve. Throws where it stops. */
export async function runTaskInBrowser(options: TaskPathOptions): Promise<TaskPathResult> {
  const { url, onStep, timeoutMs = 180_000 } = options;
  const browser = await launchBrowser();
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(timeoutMs);
  const pageErrors: string[] = [];
  page.on("pageerror", (error) => pageErrors.push(error.message));
  const picture = async (name: string) => {
    onStep?.(name);
    if (options.screenshots === undefined) return;
    await mkdir(options.screenshots, { recursive: true });
    await page.screenshot({ path: join(options.screenshots, `${name}.png`), fullPage: true });
  };
  try {
    await page.goto(url);
    await page.getByText("Online", { exact: true }).first().waitFor();
    await picture("1-network");
    await connectBurner(page);
    await deposit(page, url, "100");
    await picture("2-account");
    const taskId = await orderTask(page, url, {
      ...(options.script === undefined ? {} : { script: options.script }),
      files: options.inputs ?? [],
      onFilled: () => picture("3-order"),
    });
    const states: string[] = [];
    const onState = (state: string) => state !== states.at(-1) && states.push(state);
    const reach = (wanted: readonly string[]) => reachState(page, wanted, { timeoutMs, onState });
    await reach(["Assigned", "Running", "Completed"]);
    await page.getByRole("button", { name: "Follow logs" }).click();
    await reach(["Completed"]);
    await page.getByText("The log has ended").waitFor();
    const log = await page.getByRole("log").innerText();
    await picture("4-completed");
    const files = await openOutput(page);
    await picture("5-output");
    await page.getByRole("button", { name: "Approve and pay" }).click();
    await reach(["Settled"]);
    await page.getByRole("heading", { name: "Paid", exact: true }).waitFor();
    const timeline = await page.getByRole("complementary").locator("ol h3").allInnerTexts();
    await picture("6-settled");
    await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
    await page.setViewportSize({ width: 390, height: 844 });
    await picture("7-phone");
    return {
      taskId,
      states,
      log,
      files,
      timeline,
      violations: await violations(page),
      scrollsSideways: await scrollsSideways(page),
      pageErrors,
    };
  } catch (error) {
    const shown = await page
      .locator("main")
      .innerText()
      .catch(() => "(no page)");
    await picture("failed").catch(() => undefined);
    throw new Error(`The browser's task path failed. Page errors: ${pageErrors.join("; ")}\n${shown}`, {
      cause: error,
    });
  } finally {
    await browser.close();
  }
}

/** Takes demo tokens and deposits some of them. */
export async function deposit(page: Page, url: string, amount: string): Promise<void> {
  await page.goto(`${url}/account`);
  await page.getByRole("button", { name: /^Get 1,000/ }).click();
  await page.getByText(/^In your wallet: [1-9]/).waitFor();
  await page.getByLabel("Amount to deposit").fill(amount);
  await page.getByRole("button", { name: "Deposit", exact: true }).click();
  await page.getByText("Deposited. Gas used:").waitFor();
}

/** Fills in the batch template and creates the task; resolves with its id on its page. Throws what the page says instead. */
export async function orderTask(
  page: Page,
  url: string,
  task: {
    name?: string;
    script?: string;
    nodes?: string;
    files?: readonly InputFile[];
    /** Whether every node may read it [false]. */
    isPublic?: boolean;
    /** Called before the button is pressed. */
    onFilled?: () => Promise<void>;
  } = {},
): Promise<string> {
  await page.goto(`${url}/submit`);
  if (task.name !== undefined) await page.getByLabel("Name").fill(task.name);
  if (task.script !== undefined) await page.getByLabel("Script (sh)").fill(task.script);
  if (task.nodes !== undefined) {
    await page.getByText("More options").click();
    await page.getByLabel("Nodes", { exact: true }).fill(task.nodes);
  }
  if (task.files !== undefined) await page.getByLabel("Input files").setInputFiles([...task.files]);
  await page.getByText("Chosen", { exact: true }).first().waitFor();
  if (task.isPublic === true) await page.getByRole("radio", { name: /^Public/ }).check();
  await task.onFilled?.();
  await page.getByRole("button", { name: "Create task" }).click();
  const failure = page
    .locator("main")
    .getByRole("alert")
    .filter({ hasText: /[A-Z]+_[A-Z]+/ });
  await Promise.race([
    page.waitForURL(/\/tasks\/0x[0-9a-f]{64}$/).catch(async (cause: unknown) => {
      const plan = await page.getByRole("complementary").innerText();
      throw new Error(`The task was not created. The page says:\n${plan}`, { cause });
    }),
    failure.waitFor().then(async () => {
      throw new Error(await failure.innerText());
    }),
  ]);
  return page.url().split("/").at(-1) ?? "";
}

/** Waits on a task's page until it shows one of these states. */
export async function reachState(
  page: Page,
  wanted: readonly string[],
  options: { timeoutMs?: number; onState?: (state: string) => unknown } = {},
): Promise<void> {
  const { timeoutMs = 120_000, onState } = options;
  const end = Date.now() + timeoutMs;
  let shown = "";
  while (Date.now() < end) {
    const now = (await page.locator("[data-status]").getAttribute("data-status")) ?? "";
    if (now !== shown) onState?.(now);
    shown = now;
    if (wanted.includes(now)) return;
    if (["Cancelled", "Failed", "Expired"].includes(now)) throw new Error(`the task ended ${now}`);
    await page.waitForTimeout(200);
  }
  throw new Error(`the task is ${shown}, awaited ${wanted.join(" or ")}`);
}

async function openOutput(page: Page): Promise<Map<string, Uint8Array>> {
  await page.getByRole("button", { name: "Decrypt output" }).click();
  await page.getByText("Every file matches the digest").waitFor();
  const files = new Map<string, Uint8Array>();
  for (const button of await page.getByRole("button", { name: /^Download/ }).all()) {
    const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
    files.set(download.suggestedFilename(), await readFile(await download.path()));
  }
  return files;
}
