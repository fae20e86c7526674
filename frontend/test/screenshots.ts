/** Pictures of every state of the dApp, on a chain of its own: `node frontend/test/screenshots.ts FOLDER`. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { walkThrough } from "./walk-through.ts";

const [folder = "screenshots"] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
await walkThrough(async (name, page) => {
  for (const [width, height] of [
    [1440, 900],
    [390, 844],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate("scrollTo(0, 0)");
      await page.waitForTimeout(300);
      await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1440, height: 900 });
});
