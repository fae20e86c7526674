import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { scrollsSideways, violations } from "./browser.ts";
import { walkThrough } from "./walk-through.ts";

const LOOKS = [
  { width: 1440, height: 900, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
] as const;

describe("every state of the dApp, on a desktop and on a phone, light and dark", { timeout: 800_000 }, () => {
  it("has nothing that axe-core objects to, and never scrolls sideways", async (test) => {
    await walkThrough(async (name, page) => {
      await test.test(name, async () => {
        for (const { colorScheme, ...size } of LOOKS) {
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          await page.setViewportSize(size);
          const folder = process.env.DEKUPER_SCREENSHOTS;
          if (folder !== undefined) {
            await mkdir(folder, { recursive: true });
            await page.screenshot({ path: join(folder, `${name}-${size.width}.png`), fullPage: true });
          }
          const look = `${size.width} px, ${colorScheme}`;
          assert.equal(await scrollsSideways(page), false, look);
          assert.deepEqual(await violations(page), [], look);
        }
        await page.setViewportSize({ width: 1440, height: 900 });
      });
    });
  });
});
